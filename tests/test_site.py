"""The site builds without a warning, its notebooks run, and the how-tos do what they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks

HOW_TOS = sorted((ROOT / "docs" / "howto").glob("*.md"))


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    done = subprocess.run(
        [
            *f"{sys.executable} -m sphinx -q -W --keep-going -b html".split(),
            ROOT / "docs",
            tmp_path / "site",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "site" / "api" / "world.html").read_text(encoding="utf-8")
    assert "WorldModel" in reference and "predict" in reference


@pytest.mark.slow
@pytest.mark.parametrize(
    "notebook", sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_notebooks_run(notebook, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="the extra docs is not installed")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    pages = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(
        pages, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert any(
        "image/png" in output.get("data", {})
        for cell in pages.cells
        for output in cell.get("outputs", [])
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder in which the names that the how-tos use stand for something."""
    place = tmp_path_factory.mktemp("workplace")
    _call([sys.executable, str(ROOT / "docs" / "examples" / "ball.py")], place)
    _call(_words("run-agent --video ball.mp4 --context 24 --budget 2 --out RUN --quiet"), place)
    shutil.copytree(place / "RUN", place / "OTHER")
    shutil.copytree(place / "RUN" / "best", place / "DIR")
    (place / "clips").mkdir()
    shutil.copy(place / "ball.mp4", place / "clips")
    return place


@pytest.mark.slow
@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.stem)
def test_what_a_how_to_says_can_be_done(page, workplace):
    for line in commands_to_run(page):
        _call(_words(line), workplace)
    for code in blocks(page, "python"):
        names = "from tools import media; frames = media.read('ball.mp4').frames[:24]\n"
        _call([sys.executable, "-c", names + code], workplace)


def commands_to_run(page: Path) -> list[str]:
    """Lines of the page's shell blocks, but for blocks under a comment that says why not."""
    text = re.sub(
        r"<!-- not run: [^>]+ -->\n```sh\n.*?^```", "", page.read_text(), flags=re.M | re.S
    )
    code = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [
        re.split(r"\s{2,}#\s", line)[0].strip() for block in code for line in block.splitlines()
    ]
    return [line for line in lines if line]


def _words(line: str) -> list[str]:
    words = shlex.split(line)
    python = {"run-agent": [sys.executable, "-m", "agent"], "python": [sys.executable]}
    return [*python[words[0]], *words[1:]]


def _call(words: list[str], place: Path) -> None:
    told = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        words,
        cwd=place,
        env=told,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
