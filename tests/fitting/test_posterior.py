"""What a clip determines, in which combinations, how wide a forecast is, what to film next."""

import numpy as np
import pytest

from benchmarks.identifiability import AHEAD, FAMILIES, FRAMES, ask, clip, shrink
from tools.fitting import combinations, determined, posterior


def found(name, seed=0):
    family, rng = FAMILIES[name], np.random.default_rng(seed)
    measured, values, _ = clip(family, rng)
    start = {p.name: p.value for p in family.program.PARAMS}
    return family, values, posterior(family.program, [measured], start, rng)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_determined_and_what_is_not_is_told(name):
    family, values, draws = found(name)
    told = {one.name: one for one in determined(draws)}
    assert {n: one.told for n, one in told.items()} == dict(family.told)
    for one in told.values():
        if one.told:
            assert abs(one.value - values[one.name]) < 5 * one.error
    assert draws.worth > 0.05


def test_a_combination_is_named_with_its_value():
    family, values, draws = found("pendulum, angle")
    (one,) = combinations(draws, determined(draws))
    assert one.words == family.words == "gravity/length"
    assert abs(one.value - values["gravity"] / values["length"]) < 5 * one.error
    assert one.error < 0.05 * one.value


def test_bands_hold_the_truth_as_often_as_they_say():
    told = [ask(name, seed) for seed in range(3) for name in FAMILIES]
    assert 0.85 <= np.mean([one.covered for one in told]) <= 1.0
    assert np.mean([r for one in told for r in one.right]) > 0.9
    assert FRAMES > AHEAD


def test_an_experiment_shrinks_the_errors_as_foretold():
    word, foretold, simulated = shrink("thrown ball", 1, 30)
    assert word == "film twice as long" and foretold < 0.6
    assert simulated / foretold == pytest.approx(1.0, abs=0.45)  # a scatter of 30 fits
