"""Affordance rules: told to the proposer, checked where they can be."""

import pytest

from agent.core import affordances
from agent.core.affordances import Affordances
from tests.llm.scenes import DYNAMICS, PERCEPTION, RENDERING, SLIDING
from tools.errors import UsageError
from tools.types import Programs


def with_dynamics(source):
    return Programs(PERCEPTION, source, RENDERING)


def test_built_in_sets_load_and_survive_being_saved():
    for name in affordances.BUILT_IN:
        rules = affordances.load(name)
        assert rules.rules and affordances.of(rules.to_markdown()) == rules
    assert affordances.of("") == Affordances() and Affordances().check(SLIDING) is None


def test_sets_add_up_without_repeats():
    both = affordances.load_all(["rigid", "circles", "rigid"])
    assert len(both.rules) == len(affordances.load("rigid").rules) + len(
        affordances.load("circles").rules
    )


def test_a_file_of_rules(tmp_path):
    path = tmp_path / "rules.md"
    path.write_text(
        "# My scene\n\n- The floor is ice.\n- Only disks. [no-call rendering: draw_polygon]\n"
    )
    rules = affordances.load(str(path))
    assert rules.describe() == "- The floor is ice.\n- Only disks. (checked)"
    failure = rules.check(SLIDING)
    assert (
        failure.stage == "screen"
        and "rendering.py: line 11: calls draw_polygon" in failure.message
        and "Only disks." in failure.message
    )


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("differentiable", DYNAMICS, "DIFFERENTIABLE = True"),
        ("differentiable", "import numpy\nDIFFERENTIABLE = True\n" + DYNAMICS, "imports numpy"),
        (
            "differentiable",
            "DIFFERENTIABLE = True\n"
            + DYNAMICS.replace(
                "    keep = 1", "    if dt > 1:\n        return state\n    keep = 1"
            ),
            "branches in step",
        ),
        (
            "differentiable",
            "DIFFERENTIABLE = True\nfrom pymunk import Space\n" + DYNAMICS,
            "imports pymunk",
        ),
        ("circles", DYNAMICS.replace('"left.vx"', '"left.angle"'), "'left.angle'"),
        ("rigid", DYNAMICS.replace('"left.vx"', '"left.stretch"'), "'left.stretch'"),
    ],
)
def test_broken_rules_are_named(name, source, says):
    failure = affordances.load(name).check(with_dynamics(source))
    assert failure is not None and says in failure.message and "\n" not in failure.message


def test_kept_rules_pass():
    kept = "DIFFERENTIABLE = True\n" + DYNAMICS
    assert affordances.load("differentiable").check(with_dynamics(kept)) is None
    assert affordances.load_all(["rigid", "articulated", "engine"]).check(SLIDING) is None


def test_sources_that_do_not_parse_are_left_to_the_screen():
    assert affordances.load("differentiable").check(with_dynamics("def (")) is None


def test_bad_rules_are_one_clear_line(tmp_path):
    empty, unknown = tmp_path / "empty.md", tmp_path / "unknown.md"
    empty.write_text("nothing here")
    unknown.write_text("- A rule. [does-not-exist dynamics: x]")
    for name, says in (
        (str(empty), "begin with '- '"),
        (str(unknown), "expected a check of latents"),
        ("nonsense", "rigid, circles"),
        (str(tmp_path), "rigid"),
    ):
        with pytest.raises(UsageError, match=says) as caught:
            affordances.load(name)
        assert "\n" not in str(caught.value)
