"""Which versions of what made a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import prompts

PACKAGES = (
    "proggen-agent",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "pymunk",
    "gymnasium",
    "langgraph",
    "av",
)


def known() -> dict[str, str]:
    """Python, the platform, the hash of the prompt files, and the packages that decide numbers:
    name -> version ("absent" where not installed)."""
    machine = {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "prompts": prompts.version(),
    }
    return machine | {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
