"""The suites by name. A new one is a module with a class under ``benchmarks.harness.case.Suite``
and one line here."""

from __future__ import annotations

from importlib import import_module

from benchmarks.harness.case import Suite
from tools.types import ContractError

_SUITES = {
    "cartpole": ("benchmarks.suites.cartpole", "CartPole"),
    "phyworld": ("benchmarks.suites.phyworld", "PhyWorld"),
    "phyworld-size": ("benchmarks.suites.phyworld", "PhyWorldSize"),
    "counterfactual": ("benchmarks.suites.counterfactual", "Counterfactual"),
    "gallery": ("benchmarks.suites.gallery", "Gallery"),
    "footage": ("benchmarks.suites.footage", "Footage"),
    "search": ("benchmarks.suites.search", "Search"),
    "ablate": ("benchmarks.suites.ablate", "Ablate"),
    "judge": ("benchmarks.suites.judge", "Judge"),
    "visphy": ("benchmarks.suites.visphy", "VisPhy"),
    "failure": ("benchmarks.suites.failure", "Failure"),
    "failure-search": ("benchmarks.suites.mistaken", "Mistaken"),
}


def known() -> tuple[str, ...]:
    """Names of all suites."""
    return tuple(_SUITES)


def suite(name: str) -> Suite:
    """The suite of that name; an unknown name lists the known ones."""
    if name not in _SUITES:
        raise ContractError("suite", "one of " + ", ".join(_SUITES), repr(name))
    module, cls = _SUITES[name]
    return getattr(import_module(module), cls)()
