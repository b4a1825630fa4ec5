import numpy as np

from benchmarks import fitting
from benchmarks.fitting_cases import CASES
from tests.fitting.programs import DT, moved, thrown, throws, uniform_walk
from tools.fitting import fit, rollout
from tools.fitting.report import HEADER, markdown, residual_plot, rows
from tools.types import Param, States, rounded


def test_rows_round_to_the_error_and_carry_notes(rng):
    result = fit(
        moved(
            lambda p: p["v"],
            (Param("v", 1.0, 0.0, 100.0, "px/s"), Param("mass", 2.0, 0.1, 10.0, "kg")),
        ),
        [uniform_walk(rng)],
        rng=rng,
    )
    first, second = rows(result.params)
    assert len(first) == len(HEADER)
    assert (
        first[0] == "v"
        and first[3:5] == ("px/s", "0 .. 100")
        and len(first[1].split(".")[1]) == len(first[2].split(".")[1])
    )
    assert second[:4] == ("mass", "2", "", "kg") and second[5] == "no effect on this data"
    text = markdown(result)
    assert "| v | " in text and "converged: " in text and "ball.x" in text


def test_formatting_of_large_and_tiny_errors():
    assert rounded(1234.5678, 25.0) == ("1235", "25")
    assert rounded(0.5, 1e-13) == ("0.5", "1e-13")
    assert rounded(0.5, None) == ("0.5", "")


def test_residual_plot_shows_where_the_rollout_leaves_the_data(rng):
    data = throws(rng, 2)
    result = fit(thrown(), data, rng=rng)
    rolled = [rollout(thrown(), result.values, start, 11, DT) for start in result.starts]
    good = residual_plot(rolled, data)
    assert good.dtype == np.uint8 and good.shape == (150, 600, 3)
    bent = [States(r.columns, r.values + np.linspace(0, 40, 12)[:, None]) for r in rolled]
    bad = residual_plot(bent, data)
    assert (good != bad).any()
    blue = (np.abs(good.astype(int) - (31, 119, 180)).sum(2) < 60).sum()
    assert blue > 50


def test_plot_without_common_columns_is_blank(rng):
    data = throws(rng, 1)
    assert (residual_plot([States(("cube.x",), np.zeros((12, 1)))], data) == 255).all()


def test_benchmark_prints_tables():
    config = fitting.Config(
        programs=("uniform",), videos=(1, 2), optimizers=("auto",), seconds=0.5, tries=1, seeds=2
    )
    sections = [fitting.side_by_side(config), fitting.scaling(config), fitting.coverage(config)]
    assert (
        "| uniform | 2 | auto | " in sections[0]
        and "| uniform | 1 | SciPy Powell, one start | " in sections[0]
    )
    assert sections[1].count("\n| uniform | ") == 1
    assert (
        "| uniform | drag | 2 | " in sections[2]
        and "| uniform | mass | 2 | - | - | - | 2 |" in sections[2]
    )


def test_every_case_makes_data_that_its_program_explains(rng):
    for name in ("uniform", "parabola", "collision", "cartpole", "pendulum"):
        case = CASES[name]
        result = fit(case.module, case.data(2, rng), rng=rng)
        assert result.explained, name
        assert all(
            p.error is None or abs(p.value - case.truth[p.name]) < 5 * p.error
            for p in result.params
        ), name


def test_pymunk_scene_is_fitted_one_rollout_at_a_time(rng):
    case = CASES["bounce"]
    result = fit(case.module, case.data(1, rng), rng=rng)
    assert not result.batched and result.explained
    assert (
        abs(result.values["gravity"] - 400.0) < 10.0
        and abs(result.values["elasticity"] - 0.8) < 0.02
    )
