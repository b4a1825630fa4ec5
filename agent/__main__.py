"""``run-agent`` and ``python -m agent``.

The top-level packages are called ``agent``, ``sandbox``, ``tools``, ``prompts`` and ``benchmarks``,
as the layout asks for; other software may bring packages of the same names. Which ones answer is
looked at before anything is imported.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

_HOME = Path(__file__).resolve().parent.parent
_NEIGHBOURS = ("tools", "sandbox", "prompts", "benchmarks")


def main() -> int:
    """Run one command; 1 with one line where a package of another project answers to a name of
    ours."""
    for name in _NEIGHBOURS:
        found = find_spec(name)
        places = list(found.submodule_search_locations or []) if found else []
        if _HOME / name not in [Path(place).resolve() for place in places]:
            print(
                f"run-agent: expected the package {name} in {_HOME}, got {', '.join(places)}: it "
                "belongs to another project; install proggen-agent in an environment of its own",
                file=sys.stderr,
            )
            return 1
    from agent.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
