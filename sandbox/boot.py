"""The command line of a fresh interpreter that finds this package and the libraries, whatever the
folder and installation."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
_LIBRARIES = ("numpy", "scipy", "cv2", "pymunk", "jax")
_CODE = (
    "import sys; root, *rest = sys.argv.pop(1).split({sep!r}); sys.path[:] = [root, "
    "*sys.path, *rest]; from {module} import main; main()"
)


def command(module: str) -> list[str]:
    """Interpreter, flags (no user folder, no current folder on the path) and code that runs
    ``module.main``."""
    return [
        sys.executable,
        "-s",
        "-P",
        "-c",
        _CODE.format(sep=os.pathsep, module=module),
        _places(),
    ]


def _places() -> str:
    """This package's folder first; last the folders that the host has its libraries from."""
    specs = [find_spec(name) for name in _LIBRARIES]
    found = [
        str(Path(spec.origin).parent.parent) for spec in specs if spec is not None and spec.origin
    ]
    return os.pathsep.join(dict.fromkeys([ROOT, *found]))
