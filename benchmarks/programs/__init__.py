"""Programs written by hand for the benchmarks: what a person who knows the mechanism would write.
Never shown to a search."""

from __future__ import annotations

from pathlib import Path

from agent.run.runfolder import read_programs
from tools.types import ContractError, Programs

NAMES = ("cartpole", "collision", "parabola", "uniform")


def programs(name: str) -> Programs:
    """The three sources of one mechanism; an unknown name lists the known ones."""
    if name not in NAMES:
        raise ContractError("hand-written program", "one of " + ", ".join(NAMES), repr(name))
    return read_programs(Path(__file__).parent / name)
