"""Environments by name: videos of known mechanisms, with the truth kept apart from what a search
may see.

An environment is one module with ``make(request) -> Clips`` and one line below. Modules are
imported when they are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from benchmarks.environments.clips import Clips, Options, Request, cut, dress
from tools.command_line import did_you_mean
from tools.types import ContractError, HeldBack, Task, as_names

_MODULES = {
    "cartpole": "benchmarks.environments.cartpole",
    "phyworld-collision": "benchmarks.environments.phyworld",
    "phyworld-parabola": "benchmarks.environments.phyworld",
    "phyworld-uniform": "benchmarks.environments.phyworld",
}
_FAMILIES = {
    "gallery": "benchmarks.environments.gallery",
    "gym": "benchmarks.environments.gym",
    "outside": "benchmarks.environments.outside",
}
_PLAIN = Options()


def known() -> tuple[str, ...]:
    """Every name that ``load`` takes; ``gym:ID`` stands for any gymnasium id."""
    from benchmarks.environments import outside
    from benchmarks.gallery import SCENES

    families: dict[str, Iterable[str]] = {"gallery": SCENES, "outside": outside.SCENES}
    scenes = (f"{family}:{name}" for family, names in families.items() for name in names)
    return (*sorted(_MODULES), *scenes, "gym:ID")


def load(
    name: str,
    *,
    seed: int,
    context: int | None = None,
    horizon: int | None = None,
    options: Options = _PLAIN,
) -> tuple[Task, HeldBack]:
    """Make the videos of one environment and split them.

    seed: decides everything random; the same arguments give the same bytes. context, horizon:
    frames seen and frames to predict, None for the environment's own protocol. Raises ContractError
    (one line) for an unknown name, a missing extra, or an option that the environment does not
    have.
    """
    request = Request(name, seed, context, horizon, options)
    return cut(dress(_make(request), request.options.variant, seed), name)


def _make(request: Request) -> Clips:
    name = request.name
    path = _MODULES.get(name) or (_FAMILIES.get(name.partition(":")[0]) if ":" in name else None)
    if path is None:
        meant = did_you_mean(name, known())
        raise ContractError("environment", "one of " + as_names(known(), 80), repr(name) + meant)
    return import_module(path).make(request)


__all__ = ["Clips", "Options", "Request", "known", "load"]
