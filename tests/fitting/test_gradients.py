"""Exact gradients by JAX against finite differences, and L-BFGS against least squares."""

import numpy as np
import pytest

from benchmarks.fitting import gradient_difference
from benchmarks.fitting_cases import CASES
from tests.fitting.programs import swinging, swings
from tools.fitting import fit
from tools.physics import xp
from tools.physics.namespace import using

jax = pytest.importorskip("jax")

DIFFERENTIABLE = [
    name
    for name, case in CASES.items()
    if case.latents and getattr(case.module, "DIFFERENTIABLE", False)
]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_are_those_of_the_cost(name, rng):
    assert gradient_difference(CASES[name], CASES[name].data(2, rng)) < 1e-5


@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
def test_lbfgs_reaches_the_least_squares_optimum(rng, loss):
    data = swings(rng, 2)
    results = [
        fit(swinging(), data, optimizer=name, rng=rng, loss=loss)
        for name in ("least_squares", "lbfgs")
    ]
    assert results[1].loss == pytest.approx(results[0].loss, rel=1e-6)
    assert results[1].values["stiffness"] == pytest.approx(
        results[0].values["stiffness"], abs=0.01 * results[0].params[0].error
    )


def test_the_namespace_is_numpy_again_afterwards():
    with using(jax.numpy):
        assert isinstance(xp.sqrt(4.0), jax.Array) and repr(xp) == "<xp: jax.numpy>"
    assert isinstance(xp.sqrt(4.0), np.floating)
    with pytest.raises(RuntimeError, match="inside"), using(jax.numpy):
        raise RuntimeError("inside")
    assert xp.where is np.where
