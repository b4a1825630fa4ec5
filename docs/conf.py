"""How Sphinx builds the site: `make docs`, then open docs/_build/index.html."""

from importlib.metadata import version as _version

project = "proggen-agent"
author = "the authors of proggen-agent"
project_copyright = "2026, the authors of proggen-agent"
release = _version("proggen-agent")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = "proggen-agent"
html_show_sourcelink = False

myst_heading_anchors = 3
nb_execution_mode = "off"  # tests/test_site.py runs the notebooks; what they showed is kept in them

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_mock_imports = ["torch", "transformers", "segment_anything"]
default_role = "code"
