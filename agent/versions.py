"""Which versions of what made a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("proggen-agent", "numpy", "scipy", "opencv-python-headless", "pymunk", "gymnasium", "langgraph", "av")


def known() -> dict[str, str]:
    """Python, the platform and the packages that decide numbers: name -> version ("absent" where not installed)."""
    return {"python": platform.python_version(), "platform": platform.platform(terse=True)} | {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
