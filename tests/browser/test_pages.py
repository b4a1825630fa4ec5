"""What the pages about a node say: the words of the verdict, the numbers on record, and nothing
that a terminal would obey."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from agent import pictures
from agent.browser import ink, panes, verdict
from agent.browser.index import Index
from agent.run import store
from agent.run.runfolder import RunFolder
from tools.types import States


def view(run, node, **options):
    index = Index(run / "trace.jsonl")
    index.refresh()
    return panes.PageView(RunFolder(run), index, node, **options)


def written(page, width=100):
    """A page as plain text."""
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(page)
    return capture.get()


def shown(run, name, node, **options):
    return written(panes.page(name, view(run, node, **options)))


def test_the_winner_is_told_with_its_way_and_its_rival(run):
    text = shown(run, "why", "3")
    assert (
        "Its idea: line 4 of the script" in text
        and "frames that no candidate was fitted to or given" in text
    )
    assert (
        "Node 3 won: score 1.000" in text
        and "1 is exact, 0 no better than repeating" in " ".join(text.split())
    )
    assert "The best that is not as good, node 1, has" in text and "most of all in dynamics" in text
    assert "How it came about" in text and "line 4 of the script" in text
    assert "error of node 3" in text and "error of node 1" in text and "▀" in text
    assert "Losses by stage, node 3 and node 1" in text


def test_losers_failures_and_duplicates_are_told_why(run):
    assert "Node 1 lost: score" in shown(run, "why", "1") and "Most of all in dynamics" in shown(
        run, "why", "1"
    )
    assert "Node 0 failed in rendering" in shown(run, "why", "0") and "AttributeError" in shown(
        run, "why", "0"
    )
    assert "Node 2 was not run." in shown(
        run, "why", "2"
    ) and "the same programs as node 1" in shown(run, "why", "2")


def test_equals_go_to_the_simpler_and_earlier(run):
    index = view(run, "3").index
    index.rows["1"].score = index.rows["3"].score
    said = verdict.verdict(index, "3")
    assert any(
        "Scores within 0.01 of the highest" in sentence
        and "node 1" in sentence
        and "the clearly smaller program (by more than 3%) wins" in sentence
        for sentence in said.sentences
    )
    assert said.rival == "1" and "not clearly simpler" in verdict.verdict(index, "1").sentences[0]


def test_numbers_have_errors_and_bounds(run):
    text = shown(run, "numbers", "3")
    assert (
        "gravity" in text
        and "±" in text
        and "px/s^2" in text
        and "0 ●──────────" in text
        and "2000" in text
        and "downward acceleration" in text
    )
    assert "Nothing was fitted" in shown(run, "numbers", "0")


def test_losses_name_the_floor_the_fit_and_the_diagnosis(run):
    text = shown(run, "losses", "1")
    for words in (
        "perception",
        "dynamics",
        "rendering",
        "noise",
        "Error of each frame ahead",
        "Misfit of the rollout",
        "The fit",
        "Diagnosis",
        "bad structure",
    ):
        assert words in text


def test_states_are_drawn_measured_and_rolled_out(run):
    text = shown(run, "states", "1")
    assert (
        "ball.x" in text
        and "ball.y" in text
        and "largest gap" in text
        and "not measured" in text
        and "┊" in text
    )
    assert any(0x2800 < ord(character) <= 0x28FF for character in text)
    assert "did not get that far" in shown(run, "states", "0")


def test_videos_that_were_not_cut_in_time_stand_alone(run):
    several = view(run, "3")
    several.index.observed = several.index.observed | {"fitted": [5, 6]}
    text = written(panes.page("states", replace(several, clip=1)))
    assert "video 0, predicted (2 of 2" in text


def test_frames_show_truth_prediction_and_error(run):
    text = shown(run, "frames", "3")
    for words in ("truth, frame", "prediction", "error", "seen, frame", "redrawn"):
        assert words in text
    assert "No pictures" in shown(run, "frames", "0")


def test_sources_and_differences(run):
    assert "── dynamics.py (changed here)" in shown(
        run, "source", "3"
    ) and "── perception.py (as in its parent)" in shown(run, "source", "3")
    parent = shown(run, "diff", "3")
    assert (
        '-    ball, g = state["ball"], 0.0 * params["gravity"]' in parent
        and "The same in both: perception.py, rendering.py" in parent
    )
    assert "-    return scene.nothing" in shown(run, "diff", "3", base="0")
    assert "A draft has no parent" in shown(run, "diff", "0")


def test_output_has_the_programs_own_lines(run):
    text = shown(run, "output", "0")
    assert "Failed in rendering: AttributeError" in text and "return scene.nothing" in text
    assert "It ran to its end" in shown(run, "output", "3") and "total" in shown(run, "output", "3")


def test_prompt_and_reply_are_shown_harmless(run):
    text = shown(run, "words", "3")
    for words in (
        "Prompt, system",
        "Write programs.",
        "Here is a video.",
        "Reply of some-model (7 tokens)",
        "a parabola",
        "1 call, 107 tokens, $0.0100",
    ):
        assert words in text
    assert "\x1b" not in text and "\ufffd[2J" in text


@pytest.mark.parametrize("node", ["0", "1", "2", "3"])
@pytest.mark.parametrize("name", panes.PAGES)
def test_every_page_of_every_node_fits_narrow_and_wide_screens(run, name, node):
    for width in (40, 79, 200):
        text = written(panes.page(name, view(run, node, width=width - 2)), width)
        assert (
            text.strip()
            and "cannot be shown" not in text
            and max(map(len, text.splitlines())) <= width
        )


def test_pages_of_a_node_that_runs_just_now(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    lines = (copy / "trace.jsonl").read_text().splitlines(keepends=True)
    stop = next(
        k
        for k, line in enumerate(lines)
        if json.loads(line)["event"] == "evaluated" and json.loads(line)["node"] == "3"
    )
    (copy / "trace.jsonl").write_text("".join(lines[:stop]))
    for name in ("evaluation", "diagnosis"):
        (copy / "nodes/3" / f"{name}.json").unlink()
    assert "has not been judged yet" in shown(copy, "why", "3") and "leads so far" in shown(
        copy, "why", "1"
    )
    for name in panes.PAGES:
        assert "cannot be shown" not in shown(copy, name, "3")


def test_a_damaged_file_spoils_its_page_only(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "nodes/3/evaluation.json").write_text("{")
    (copy / "nodes/3/rendering.py").unlink()
    assert "This page cannot be shown" in shown(
        copy, "numbers", "3"
    ) and "evaluation.json" in shown(copy, "numbers", "3")
    assert "This page cannot be shown" in shown(copy, "source", "3")
    assert "truth, frame" in shown(copy, "frames", "3")
    key = Index(copy / "trace.jsonl")
    key.refresh()
    blob = store.Store(copy / "store").path(key.rows["3"].event("evaluated")["blobs"]["prediction"])
    blob.write_bytes(b"no picture")
    assert "damaged" in shown(copy, "frames", "3")


# --------------------------------------------------------------------------------------------------


def test_a_filmstrip_can_be_taken_apart_again():
    rng = np.random.default_rng(0)
    for height, width, count in ((20, 31, 1), (40, 17, 3), (9, 60, 6)):
        truth, drawn = rng.integers(0, 256, (2, count, height, width, 3), np.uint8)
        strip = pictures.comparison(("truth", "prediction"), truth, drawn, range(count))
        taken = pictures.frames_of(strip, ("truth", "prediction", "difference"))
        np.testing.assert_array_equal(
            taken, np.stack([truth, drawn, pictures.difference(truth, drawn)])
        )


def test_a_picture_keeps_its_colours_and_its_shape():
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:20] = (255, 0, 0)
    lines = ink.picture(frame, 20)
    assert len(lines) == 10 and all(line.cell_len == 20 for line in lines)
    assert [str(line.spans[0].style) for line in (lines[0], lines[-1])] == [
        "#ff0000 on #ff0000",
        "#000000 on #000000",
    ]


def test_a_thin_error_is_not_lost_in_a_small_picture():
    truth = np.zeros((100, 100, 3), np.uint8)
    drawn = truth.copy()
    drawn[:, 50] = 255
    lines = ink.picture(ink.heat(truth, drawn), 10, peaks=True)
    assert all(any("#ffffff" in str(span.style) for span in line.spans) for line in lines)


def test_curves_part_where_values_part():
    measured = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    together = list(ink.plot(measured, measured, 20, 4))
    apart = list(ink.plot(measured, 4.0 - measured, 20, 4))
    styles = [
        {str(span.style) for line in lines for span in line.spans} for lines in (together, apart)
    ]
    assert ink.TRUE not in styles[0] and {ink.TRUE, ink.MADE} <= styles[1]
    assert len(together) == 4 and all(line.cell_len == 20 for line in together)


def test_curves_of_next_to_nothing():
    for values in (np.array([np.nan]), np.array([1.0]), np.full(5, np.nan), np.full(5, 2.0)):
        assert len(list(ink.plot(values, values, 20, 3, bound=1))) == 3


def test_joined_states_keep_every_column():
    first, second = States(("a.x", "a.y"), np.ones((2, 2))), States(("a.y",), np.full((1, 1), 3.0))
    joined = panes._joined(first, second)
    assert (
        joined.columns == ("a.x", "a.y")
        and joined.values[2, 1] == 3.0
        and np.isnan(joined.values[2, 0])
    )
