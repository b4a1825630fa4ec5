"""What to film next: what is foretold of an experiment is what fits to simulated clips find."""

import numpy as np

from benchmarks.identifiability import FAMILIES, clip
from tools.fitting import best, choices, now, outlook, shrunk

SPRING, PENDULUM = FAMILIES["mass on a spring"], FAMILIES["pendulum, angle"]


def asked(family, seed=3):
    rng = np.random.default_rng(seed)
    measured, values, course = clip(family, rng)
    base = now(measured, course[0], family.noise)
    others = choices(family.program, values, base, None)
    told = [outlook(family.program, values, base, one, rng) for one in (base, *others)]
    return values, base, told[0], told[1:], rng


def test_a_weighed_mass_tells_stiffness_and_mass_apart():
    values, base, again, others, rng = asked(SPRING)
    found, share, about = best(others, again, ("stiffness", "mass"))
    assert found.experiment.added == {"mass": values["mass"]} and share < 0.05
    assert about == ("stiffness", "mass")
    simulated = outlook(SPRING.program, values, base, found.experiment, rng, 8).simulated
    assert 0.4 < shrunk(simulated, found.errors, about) < 1.8


def test_where_no_experiment_tells_what_is_open_it_is_about_the_rest():
    _, _, again, others, _ = asked(PENDULUM)
    found, share, about = best(others, again, ("gravity", "length"))
    assert about == ("damping",) and 0.0 < share < 0.9
    assert found.experiment.added == {}
