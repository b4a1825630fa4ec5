"""Importing everything that a program may use, before the doors close: a locked child cannot open a
file."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sandbox import kernel, limits

STANDARD = """
abc array ast base64 bisect calendar cmath collections.abc colorsys contextlib copy csv dataclasses
datetime decimal difflib enum fractions functools graphlib hashlib heapq inspect io itertools json
keyword locale logging math numbers operator pickle pprint queue random re reprlib secrets
statistics string struct textwrap threading time timeit traceback types typing unicodedata uuid
warnings weakref zlib encodings.idna encodings.utf_16 encodings.latin_1 encodings.cp437
concurrent.futures.process concurrent.futures.thread glob http.client multiprocessing.pool
multiprocessing.popen_fork multiprocessing.synchronize pathlib shutil socket subprocess tempfile
"""
"""The last two lines are there to fail with the right message."""
LIBRARIES = ("numpy", "scipy", "cv2", "pymunk")
JAX = (
    "jax",
    "jax.numpy",
    "jax.scipy.linalg",
    "jax.scipy.special",
    "jax.scipy.optimize",
    "jax.scipy.ndimage",
    "jax.random",
    "jax.nn",
)
# parts that need a screen, a compiler, the network, other array libraries, or are tests
SKIPPED = re.compile(
    r"_?tests?|_?test_.*|_*ctest|_*cytest|.*testutils|_tstutils|_?testing|conftest|f2py|distutils|_?examples|_pyinstaller|.*docs?_.*|.*_doc|"
    r"_precompute|_mptestutils|_backends|.*_build|datasets|pygame_util|pyglet_util|matplotlib_util|cupy|torch|dask|_multiarray_tests|.*_tests|_configtool|cversions|mypy_plugin"
)
FITTING = ("emcee",)
"""What an optimiser needs beside JAX; only in the profile with threads."""
OURS = "tools"
NOT_OURS = ("tools.vision", "tools.media", "tools.metrics")
"""Learned models, codecs and the scorer are for the host."""


def warm_up(profile: str) -> dict[str, Any]:
    """Import and touch every library of a profile; returns what could not be loaded ({"missing":
    {name: reason}}) and how many bytes of address space a child will take to start its threads
    ("room"). What libraries add to the environment is taken out again: children see exactly what
    the host gave."""
    missing: dict[str, str] = {}
    given = dict(os.environ)
    room = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in STANDARD.split():
            _load(name, missing)
        for name in LIBRARIES:
            _load_all(name, missing)
        if profile == "threads":
            room = _load_jax(missing)
            for name in FITTING:
                _load(name, missing)
        _load_all(OURS, missing)
    _touch()
    for name in os.environ.keys() - given.keys():
        del os.environ[name]
    os.environ.update(given)
    told = {
        name: reason
        for name, reason in missing.items()
        if name.split(".")[0] == OURS or name in (*LIBRARIES, "jax")
    }
    return {"missing": told, "room": room}


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
        if SKIPPED.fullmatch(info.name) or full in NOT_OURS:
            continue
        _load_all(full, missing)


def _load_jax(missing: dict[str, str]) -> int:
    """JAX loads much of itself at first use, and must not be used in a process that forks: a child
    tries what it takes.

    Returns the address space that its start took, in bytes.
    """
    for name in JAX:
        _load(name, missing)
    if "jax" in missing:
        return 0
    known, size = set(sys.modules), limits.address_space()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        room = ""
        try:
            kernel.end_with_parent()
            start_jax()
            room = str(limits.address_space() - size)
            _use_jax()
        finally:
            os.write(write, "\n".join([room, *(set(sys.modules) - known)]).encode()[:60_000])
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        room, _, names = file.read().partition("\n")
    os.waitpid(pid, 0)
    for name in sorted(names.split()):
        _load(name, {})  # parts of namespaces that cannot be imported by name are no loss
    return int(room or 0)


def start_jax() -> None:
    """Start JAX's compiler and its threads where JAX is loaded; in a child, before it is locked."""
    if "jax" in sys.modules:
        sys.modules["jax"].numpy.arange(2.0).block_until_ready()


def _use_jax() -> None:
    """One of each kind of thing that a differentiable program does."""
    import jax
    import jax.numpy as jnp

    switch: Callable[[str, bool], None] = jax.config.update
    switch("jax_enable_x64", True)
    x = jnp.linspace(0.0, 1.0, 4)
    jax.jit(jax.value_and_grad(lambda v: jnp.sum(jnp.where(v > 0.5, jnp.sin(v), v**2))))(x)
    jax.lax.scan(lambda c, _: (c * 0.5 + 1.0, c), 1.0, None, length=3)
    jax.lax.fori_loop(0, 2, lambda i, c: jax.lax.cond(i > 0, jnp.cos, jnp.exp, c), x)
    jnp.linalg.solve(jnp.eye(4) * 2.0, x).block_until_ready()
    jax.random.normal(jax.random.key(0), (3,)).block_until_ready()


def _touch() -> None:
    """Run what libraries set up at first use (FFT plans, BLAS buffers, random state, OpenCV's
    dispatch)."""
    import cv2
    import numpy as np
    import pymunk
    from scipy import optimize

    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)
    np.random.seed(0)  # the same random numbers in every child
    matrix = np.eye(8) @ np.ones((8, 8))
    np.linalg.svd(matrix)
    np.fft.fft(matrix)
    np.random.default_rng(0).normal()
    cv2.GaussianBlur(np.zeros((8, 8, 3), np.uint8), (3, 3), 0)
    optimize.least_squares(lambda x: x - 1.0, [0.0])
    pymunk.Space().step(0.01)
