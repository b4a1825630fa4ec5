"""Nothing that a run writes names this machine's folders or its user."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.config import SearchConfig
from agent.core.protocols import Proposal
from agent.plain import private
from agent.run.runfolder import RunFolder
from agent.search import steps
from tests.agent import candidates
from tests.agent.candidates import GOOD, Scripted

USER = "anna.k"
PLACES = (
    f"/home/{USER}/clips/ball.mp4",
    f"/Users/{USER}",
    f"file:///home/{USER}/ball.mp4",
    rf"C:\Users\{USER}\ball.mp4",
    f"~{USER}/ball.mp4",
    f"https://{USER}:pw@host/v1",
)
TOLD = " and ".join(PLACES)


class Talking(Scripted):
    """Names places in everything that it says."""

    def propose(self, task, archive, move, rng) -> Proposal:
        said = super().propose(task, archive, move, rng)
        return replace(said, rationale=TOLD, origin=TOLD, exchanges=(TOLD,))


def test_places_are_taken_out_and_the_rest_is_left():
    assert USER not in private(TOLD) and private(private(TOLD)) == private(TOLD)
    text = "3 px/s, kg/m^2 and https://host/v1/chat, ~5 px, a / b, </p></div>, 1/2/3"
    assert private(text) == text


@pytest.mark.parametrize("resumed", [False, True])
def test_no_file_of_a_run_names_its_user(resumed, tmp_path):
    failing = f"def render(state, scene, shape):\n    print(PLACES)\n    raise ValueError(PLACES)\nPLACES = {TOLD!r}\n"
    proposer = Talking(candidates.changed(rendering=failing), None, GOOD)
    config = SearchConfig(budget=3, hint=TOLD, rules=f"- {TOLD}", policy="best-of-n", threshold=2.0)
    task, held = candidates.task()
    steps.run(task, held, config, proposer=proposer, out=tmp_path / "run")
    if resumed:
        (tmp_path / "run" / "result.json").unlink()
        before = (tmp_path / "run" / "trace.jsonl").read_bytes()
        steps.resume(tmp_path / "run", proposer=proposer)
        assert (tmp_path / "run" / "trace.jsonl").read_bytes() == before
    folder = RunFolder(tmp_path / "run")
    assert (
        folder.load_evaluation("0").failure is not None and "…" in folder.proposal("1")[0].rationale
    )
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file() and path.name != "rendering.py":  # a program is what it is
            assert USER.encode() not in path.read_bytes(), path
