"""Importing everything that a program may use, before the doors close: a locked child cannot open a file."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from types import ModuleType
from typing import Any

STANDARD = (
    "abc array ast bisect calendar cmath collections collections.abc colorsys contextlib copy csv dataclasses datetime decimal "
    "difflib enum fractions functools graphlib hashlib heapq inspect io itertools json keyword locale logging math numbers "
    "operator pprint queue random re reprlib statistics string struct textwrap threading time timeit traceback types typing "
    "unicodedata unittest uuid warnings weakref zlib encodings.idna encodings.utf_16 encodings.latin_1 encodings.cp437"
).split()
LIBRARIES = {"plain": ("numpy", "scipy", "cv2", "pymunk"), "threads": ("numpy", "scipy", "cv2", "pymunk", "jax")}
SKIPPED = ("tests", "testing", "conftest", "f2py", "distutils", "_examples", "examples", "pygame_util", "pyglet_util", "matplotlib_util")
OURS = "tools"
NOT_OURS = ("tools.vision", "tools.media")            # learned models and codecs are for trusted code only


def warm_up(profile: str) -> dict[str, Any]:
    """Import and touch every library of a profile; returns {"missing": {name: reason}} for what could not be loaded."""
    missing: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in STANDARD:
            _load(name, missing)
        for name in LIBRARIES[profile]:
            _load_all(name, missing)
        _load_all(OURS, missing)
    _touch()
    return {"missing": {name: reason for name, reason in missing.items() if name.split(".")[0] == OURS or name in LIBRARIES[profile]}}


def _load(name: str, missing: dict[str, str]) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception as error:
        missing[name] = f"{type(error).__name__}: {error}"[:300]
        return None


def _load_all(name: str, missing: dict[str, str]) -> None:
    package = _load(name, missing)
    for info in pkgutil.iter_modules(getattr(package, "__path__", ())):
        full = f"{name}.{info.name}"
        if info.name in SKIPPED or full in NOT_OURS or (info.name.startswith("_") and name != OURS):
            continue
        _load_all(full, missing)


def _touch() -> None:
    """Run what libraries set up at first use (FFT plans, BLAS buffers, random state, OpenCV's dispatch)."""
    import cv2
    import numpy as np
    import pymunk
    from scipy import optimize

    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)
    np.random.seed(0)                                 # the same random numbers in every child
    matrix = np.eye(8) @ np.ones((8, 8))
    np.linalg.svd(matrix)
    np.fft.fft(matrix)
    np.random.default_rng(0).normal()
    cv2.GaussianBlur(np.zeros((8, 8, 3), np.uint8), (3, 3), 0)
    optimize.least_squares(lambda x: x - 1.0, [0.0])
    pymunk.Space().step(0.01)
