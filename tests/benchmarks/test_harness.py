"""The harness: a ledger that survives kills, results that repeat, comparisons that know noise,
tables, scoring."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import published, suite, suites
from benchmarks.environments import load
from benchmarks.harness.case import Case, Options, Record, Workplace, row
from benchmarks.harness.compare import compare
from benchmarks.harness.execute import execute
from benchmarks.harness.ledger import Ledger
from benchmarks.harness.results import Result
from benchmarks.harness.scoring import score_frames, truth_in, truth_of, write_seen
from benchmarks.harness.statistics import estimate, paired
from benchmarks.harness.tables import Column, Line, markdown
from benchmarks.suites.gallery import names
from tools import media
from tools.errors import UsageError
from tools.types import ContractError


class Squares:
    """A suite of trivial cases that remembers what it was asked to do."""

    name = "squares"
    about = "squares of numbers"

    def __init__(self):
        self.done = []

    def phases(self, options):
        return [[Case(f"small/{n}") for n in range(2)], [Case(f"large/{n}") for n in (10, 20)]]

    def run(self, case, place):
        self.done.append(case.key)
        n = int(case.key.partition("/")[2])
        return Record(case.key, (row({"square": n * n, "nothing": None}),), data={"n": str(n)})

    def report(self, records, options):
        return ", ".join(sorted(records))


def ledger_of(folder, **asked):
    return Ledger(folder, {"suite": "squares", "options": asked})


# --------------------------------------------------------------------------------------------------


def test_finished_cases_are_not_done_again_and_phases_keep_their_order(tmp_path):
    first, second, lines = Squares(), Squares(), []
    place = Workplace(tmp_path, Options())
    execute(first, place, ledger_of(tmp_path), 1, lines.append)
    assert first.done == ["small/0", "small/1", "large/10", "large/20"]
    assert (
        lines[0].startswith("1/4  small/0") and "left)" in lines[0] and lines[-1].startswith("4/4")
    )
    execute(second, place, ledger_of(tmp_path), 1, lines.append)
    assert second.done == []


def test_a_line_torn_by_a_kill_is_cut_off_and_its_case_done_again(tmp_path):
    execute(Squares(), Workplace(tmp_path, Options()), ledger_of(tmp_path), 1, lambda line: None)
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    again = Squares()
    ledger = ledger_of(tmp_path)
    execute(again, Workplace(tmp_path, Options()), ledger, 1, lambda line: None)
    assert again.done == ["large/20"] and ledger.records["large/20"].rows[0]["square"] == 400


def test_a_case_that_the_agent_refuses_fails_alone(tmp_path):
    class Still(Squares):
        def run(self, case, place):
            if case.key == "small/1":
                raise UsageError("nothing moves")
            return super().run(case, place)

    ledger = ledger_of(tmp_path)
    execute(Still(), Workplace(tmp_path, Options()), ledger, 1, lambda line: None)
    assert ledger.records["small/1"].error == "nothing moves" and len(ledger.records) == 4


def test_a_folder_of_other_arguments_is_refused(tmp_path):
    ledger_of(tmp_path, seed=0)
    with pytest.raises(ContractError, match="got other options; give another --out"):
        ledger_of(tmp_path, seed=1)


def test_only_runs_what_was_asked_for(tmp_path):
    squares = Squares()
    execute(
        squares, Workplace(tmp_path, Options(only="/1")), ledger_of(tmp_path), 1, lambda line: None
    )
    assert squares.done == ["small/1", "large/10"]


def test_figures_are_finite_numbers_or_nothing():
    assert row({"a": np.float32(1.5), "b": float("nan"), "c": None, "d": float("inf")}) == {
        "a": 1.5,
        "b": None,
        "c": None,
        "d": None,
    }


# --------------------------------------------------------------------------------------------------


def bench(out, *extra):
    return suite.main(["cartpole", "--only", "renderer", "--count", "2", "--out", str(out), *extra])


def test_two_benches_agree_to_the_last_digit(tmp_path, capsys):
    assert (
        bench(tmp_path / "a", "--workers", "2") == 0
        and bench(tmp_path / "b", "--workers", "1") == 0
    )
    a, b = Result.read(tmp_path / "a"), Result.read(tmp_path / "b")
    assert [a.records[key].rows for key in sorted(a.records)] == [
        b.records[key].rows for key in sorted(b.records)
    ]
    assert a.about["versions"]["numpy"] and a.about["machine"]["cores"]
    assert 47 < a.records["renderer/000"].rows[0]["psnr"] < 52
    assert suite.main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "the same to the last digit" in capsys.readouterr().out
    assert suite.main(["table", str(tmp_path / "a" / "bench.json")]) == 0
    table = capsys.readouterr().out
    assert (
        "| ProgGen | zero-shot | 0.003 | 30.59 |" in table
        and "| floor: true states, our renderer |" in table
    )


def test_a_killed_bench_goes_on_to_the_same_result(tmp_path):
    out = tmp_path / "killed"
    words = [
        sys.executable,
        "-c",
        "import sys; from benchmarks.suite import main; main(sys.argv[1:])",
    ]
    process = subprocess.Popen(
        [
            *words,
            "cartpole",
            "--only",
            "still",
            "--count",
            "3",
            "--workers",
            "1",
            "--out",
            str(out),
        ],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    for _ in range(6000):
        if (out / "records.jsonl").exists() and len(
            (out / "records.jsonl").read_bytes().splitlines()
        ) >= 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len((out / "records.jsonl").read_bytes().splitlines()) - 1
    assert 1 <= kept < 3 and not (out / "bench.json").exists()
    arguments = ["cartpole", "--only", "still", "--count", "3", "--workers", "1", "--out"]
    assert (
        suite.main([*arguments, str(out)]) == 0
        and suite.main([*arguments, str(tmp_path / "whole")]) == 0
    )
    rows = [
        [r.rows for _, r in sorted(Result.read(folder).records.items())]
        for folder in (out, tmp_path / "whole")
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 3


def test_every_suite_has_a_line_and_plans_its_cases(capsys):
    assert suite.main(["list"]) == 0
    listed = capsys.readouterr().out
    for name in suites.known():
        assert name in listed
        try:
            keys = [case.key for phase in suites.suite(name).phases(Options()) for case in phase]
        except ContractError as error:  # of suites that only run on somebody's files
            assert str(error).startswith("--data: expected a folder")
            continue
        assert keys and len(set(keys)) == len(keys)


def test_wrong_calls_are_answered_in_one_line(tmp_path):
    for argv, says in (
        (["speed"], r"bench: expected a suite \(cartpole"),
        (["compare", str(tmp_path), str(tmp_path)], "a bench.json"),
        (["gallery", "--only", "pendulum", "--count", "1"], "--only: expected text .*thrown-ball"),
        (["phyworld", "--only", "search"], "--only: expected text .*predict/uniform"),
    ):
        with pytest.raises(ContractError, match=says) as caught:
            suite.main(argv)
        assert "\n" not in str(caught.value)


def test_metrics_are_explained(capsys):
    suite.main(["metrics"])
    assert "kang_pixels (world units / s, lower is better" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- statis


def test_intervals_cover_and_repeat():
    values = np.random.default_rng(0).normal(3.0, 1.0, 200).tolist()
    first = estimate(values)
    assert (
        first == estimate([*values, None, float("nan")])
        and first.low < 3.0 < first.high
        and 0.2 < first.high - first.low < 0.4
    )
    assert estimate([None]) is None


def test_pairing_finds_what_means_alone_hide():
    before = np.random.default_rng(0).normal(0.0, 10.0, 50)
    after = before + 0.5
    assert not (estimate(after).low > estimate(before).high)
    assert paired(before.tolist(), after.tolist()).clear
    noise = np.random.default_rng(1).normal(0.0, 1.0, 50)
    assert not paired(before.tolist(), (before + noise - noise.mean()).tolist()).clear


def result_of(shift=0.0, noise=0.0, **options):
    rng = np.random.default_rng(5)
    rows = {
        f"search/{k}": Record(
            f"search/{k}", ({"psnr": 30.0 + k + shift + noise * rng.normal()},), data={"truth": "x"}
        )
        for k in range(20)
    }
    return Result(
        "cartpole", Options(**options), rows, {"commit": "abc", "versions": {"numpy": "2"}}
    )


def test_compare_tells_change_from_noise_and_names_the_settings():
    better = compare(result_of(), result_of(shift=1.0, noise=0.2, budget=30))
    assert "**changed**" in better and "- option budget: 20 -> 30" in better
    assert "within noise" in compare(result_of(), result_of(noise=0.5))
    other = result_of()
    moved = replace(
        other,
        records={
            **other.records,
            "search/3": replace(other.records["search/3"], data={"truth": "y"}),
        },
    )
    assert "not the same data: search/3" in compare(result_of(), moved)
    with pytest.raises(ContractError, match="two results of one suite"):
        compare(result_of(), replace(other, suite="gallery"))


def test_results_round_trip(tmp_path):
    result_of(policies=("tree", "linear")).write(tmp_path)
    assert Result.read(tmp_path) == result_of(policies=("tree", "linear"))
    json.loads((tmp_path / "bench.json").read_text())


# --------------------------------------------------------------------------------------------------


def test_published_numbers_stand_as_printed_and_missing_ones_as_a_dash():
    line = Line("DiT-L", "3M", {"a": 0.0124}, source="Table 1")
    ours = Line("ours", "10", {"a": estimate([0.002, 0.004]), "b": None}, 2)
    table = markdown("T", (Column("a", "A", 4), Column("b", "B")), [line, ours], "A note.")
    assert "| DiT-L | 3M | 0.0124 | – | published | Table 1 |" in table
    assert (
        "| ours | 10 | 0.0030 [0.0020, 0.0040] | – | 2 | measured here |" in table
        and table.endswith("A note.\n")
    )


def test_whose_dynamics_a_row_uses_has_a_column_where_it_is_told():
    table = markdown(
        "T",
        (Column("a", "A"),),
        [Line("ours", "10", {"a": 0.1}, 2, engine="pymunk"), Line("theirs", "3M", {"a": 0.2})],
    )
    assert "| model | training data | A | dynamics | videos | source |" in table
    assert (
        "| ours | 10 | 0.1 | pymunk | 2 | measured here |" in table
        and "| theirs | 3M | 0.2 | – | published | measured here |" in table
    )


def test_both_published_rows_for_ten_videos_are_there_and_differ():
    (table_1,) = [r for r in published.PHYWORLD if r.model == "ProgGen"]
    (table_3,) = [r for r in published.PHYWORLD_SIZE if r.data == "10"]
    assert table_1.figures["collision/in"] == 0.0227 and table_3.figures["collision/in"] == 0.0385
    assert len(published.PHYWORLD) == 12 and {r.model for r in published.CARTPOLE} == {
        "TI2V-Zero",
        "Stable Video Diffusion v1",
        "ProgGen",
    }


@pytest.mark.parametrize(
    ("scene", "words", "named"),
    [
        ("thrown-ball", "- ball moves freely\n- a constant field accelerates ball", True),
        ("thrown-ball", "- ball moves freely\n- a spring pulls to an anchor: ball", False),
        (
            "double-pendulum",
            "- upper turns on a hinge on a fixed pivot\n- lower turns on a hinge on upper",
            True,
        ),
        ("double-pendulum", "- upper turns on a hinge on a fixed pivot", False),
        ("occlusion", "- ball moves freely", True),
        ("occlusion", "- ball moves freely\n- a constant field accelerates ball", False),
        ("two-balls", "- a moves freely\n- b moves freely\n- bounce off each other: a and b", True),
        ("sliding-box", "- box slides along a line\n- dry friction slows box", True),
        ("sliding-box", "", False),
    ],
)
def test_structures_are_recognised_by_what_a_program_says(scene, words, named):
    assert names(words, load(f"gallery:{scene}", seed=0, context=2, horizon=1)[1].truth) is named


# --------------------------------------------------------------------------------------------------


def test_anybodys_videos_are_scored_against_an_environment(tmp_path):
    task, held = load("cartpole", seed=7)
    (tmp_path / "pred").mkdir()
    np.savez(tmp_path / "pred" / "0.npz", frames=held.frames[0])
    still = np.repeat(task.test[0].frames[-1:], 10, axis=0)
    np.savez(tmp_path / "pred" / "1.npz", frames=np.concatenate([task.test[0].frames, still]))
    table = score_frames(tmp_path / "pred", truth_of("cartpole", 7, 2, None))
    assert "| 0.npz | 0 | 100 |" in table and "**mean**" in table and "lpips" not in table
    assert "| 1.npz |" in table, "a prediction may start with the seen frames"


def test_pixel_velocities_come_with_phyworld(tmp_path):
    truth = truth_of("phyworld-uniform", 1, 2, "in")
    for index, goal in enumerate(truth.goals):
        (tmp_path / "pred").mkdir(exist_ok=True)
        np.savez(tmp_path / "pred" / f"{index}.npz", frames=goal.truth)
    table = score_frames(tmp_path / "pred", truth)
    assert "kang_pixels" in table and "by split: in 0.0" in table


def test_true_videos_may_lie_in_a_folder_and_are_matched_by_name(tmp_path):
    clip = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), dtype=np.uint8)
    for folder in ("truth", "pred"):
        (tmp_path / folder).mkdir()
    media.write(tmp_path / "truth" / "a.npz", clip)
    media.write(tmp_path / "pred" / "a.npz", clip[4:])
    assert "| a.npz | 0 | 100 |" in score_frames(tmp_path / "pred", truth_in(tmp_path / "truth", 4))
    media.write(tmp_path / "pred" / "a.npz", clip[3:])
    with pytest.raises(ContractError, match=r"expected frames of shape \(2, 32, 32, 3\)"):
        score_frames(tmp_path / "pred", truth_in(tmp_path / "truth", 4))
    os.rename(tmp_path / "pred" / "a.npz", tmp_path / "pred" / "b.npz")
    with pytest.raises(ContractError, match="a prediction of 'a'"):
        score_frames(tmp_path / "pred", truth_in(tmp_path / "truth", 4))


def test_seen_frames_can_be_handed_out(tmp_path):
    assert write_seen("cartpole", 3, 2, None, tmp_path) == 2
    assert np.array_equal(
        np.load(tmp_path / "001.npz")["frames"], load("cartpole", seed=4)[0].test[0].frames
    )
