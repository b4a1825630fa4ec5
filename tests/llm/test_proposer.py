"""What the LLM proposer makes of each kind of answer, and how the mixed and the replaying proposer
share the work."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import SecretStr

from agent import proposers
from agent.config import SearchConfig
from agent.core import affordances
from agent.core.protocols import Brief, Cost, Move, Proposal, Waiting
from agent.core.screen import fingerprint
from agent.models.errors import Unreachable
from agent.models.options import ModelOptions
from agent.proposers import Access
from agent.proposers.both import MixedProposer
from agent.proposers.checked import CheckedProposer
from agent.proposers.replay import Recorded, ReplayProposer
from agent.run.store import Store
from tests.llm import scenes
from tests.llm.server import KEY, Answer, ScriptedServer, error, images_of, in_turn, text_of
from tools.types import Candidate, Programs

FILES = "\n".join(f"```python {stage}.py\n{source}```" for stage, source in scenes.SLIDING.items())
DRAFT = f"Two boxes slide.\n\n{FILES}"
OTHER = (
    "Friction is not the same for both.\n\n```python dynamics.py\n"
    + scenes.DYNAMICS.replace("5.0", "9.0")
    + "```"
)


DRAFTING = Move("draft")


def propose(server, tmp_path, move=DRAFTING, archive=None, rules="", **model):
    options = ModelOptions(
        name="scripted",
        base_url=server.url,
        **{"pause": 0.0, "attempts": 2, "check": False} | model,
    )
    settings = SearchConfig(proposer="llm", rules=rules, model=options)
    mine = proposers.make(settings, Store(tmp_path / "store"), Access(SecretStr(KEY)))
    return mine.propose(
        scenes.sliders(), archive or scenes.archive_of(), move, np.random.default_rng(0)
    )


def proposed(tmp_path, *answers, **settings):
    with ScriptedServer(in_turn(*answers)) as server:
        return propose(server, tmp_path, **settings), server.requests


# --------------------------------------------------------------------------------------------------


def test_a_draft(tmp_path):
    proposal, requests = proposed(tmp_path, Answer(DRAFT, usage=(100, 50)))
    assert proposal.programs == scenes.SLIDING and proposal.rationale == "Two boxes slide."
    assert (
        proposal.cost == Cost(1, 100, 50, None)
        and len(proposal.exchanges) == 2
        and not proposal.exhausted
    )
    assert len(images_of(requests[0])) == 5


def test_a_refinement_changes_the_files_it_names(tmp_path):
    archive = scenes.archive_of(scenes.sliding_node())
    proposal, _ = proposed(
        tmp_path, Answer(OTHER), move=Move("refine", "0", "dynamics"), archive=archive
    )
    assert (
        proposal.stages == ("dynamics",)
        and proposal.programs.perception == scenes.PERCEPTION
        and "9.0" in proposal.programs.dynamics
    )


def test_verdicts_on_detections_are_asked_for_once_and_weighed(tmp_path):
    node = with_places(scenes.sliding_node())
    said = Answer(
        '{"verdicts": [{"object": "left", "verdict": "wrong", "why": "it is the right one"}], '
        '"missing": []}',
        usage=(70, 7),
    )
    archive, move = scenes.archive_of(node), Move("refine", "0")
    with ScriptedServer(
        lambda request: said if "You check" in text_of(request) else Answer(OTHER, usage=(100, 10))
    ) as server:
        first = propose(server, tmp_path, move, archive, check=True)
        child = replace(
            node, candidate=Candidate("1", first.programs, "0", "refine", ("dynamics",), "r", "llm")
        )
        warmer = replace(move, brief=Brief("follow another cause", 0.8))
        second = propose(server, tmp_path, warmer, archive.added(child), check=True)
        asked = sum("You check" in text_of(request) for request in server.requests)
    assert asked == 1 and (first.cost.calls, first.cost.input_tokens) == (2, 170)
    assert (
        second.cost.calls == 2 and second.cost.input_tokens == 200
    )  # two answers of its own; the check is not charged again
    overruled = next(finding for finding in first.findings if finding.kind == "checker_overruled")
    assert overruled.where == "left" and "it is the right one" in overruled.message


def test_no_check_is_paid_for_where_nothing_can_be_marked(tmp_path):
    """Its perception measures x alone."""
    archive = scenes.archive_of(scenes.sliding_node())
    _, requests = proposed(
        tmp_path, Answer(OTHER), move=Move("refine", "0"), archive=archive, check=True
    )
    assert len(requests) == 1


def with_places(node):
    """The node with y columns, so that its detections can be drawn and measured."""
    table = node.evaluation.measured[0]
    table = replace(
        table,
        columns=(*table.columns, "left.y", "right.y"),
        values=np.column_stack([table.values, np.full((len(table), 2), 60.0)]),
    )
    return replace(node, evaluation=replace(node.evaluation, measured=(table,)))


def test_measured_checks_alone_when_the_model_is_not_to_check(tmp_path):
    archive = scenes.archive_of(with_places(scenes.sliding_node()))
    proposal, requests = proposed(
        tmp_path, Answer(OTHER), move=Move("refine", "0"), archive=archive
    )
    assert len(requests) == 1 and [finding.kind for finding in proposal.findings] == [
        "detections_checked"
    ]


# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (Answer(""), "the answer was empty"),
        (Answer("Such a lovely video."), "whole files"),
        (Answer(OTHER), "missing: perception.py, rendering.py"),
        (Answer(DRAFT.replace("def step(", "def stop(")), "step(state, params, action, dt)"),
        (Answer(DRAFT.replace("def step(", "def step[")), "does not parse"),
        (
            Answer(DRAFT.replace("from tools.types", "import os\nfrom tools.types")),
            "cannot import os",
        ),
    ],
    ids=["empty", "prose", "incomplete", "no function", "syntax", "import"],
)
def test_an_answer_that_cannot_be_used_gets_a_second_chance_with_the_exact_message(
    bad, says, tmp_path
):
    proposal, requests = proposed(tmp_path, bad, Answer(DRAFT))
    assert proposal.programs == scenes.SLIDING and proposal.cost.calls == 2 and len(requests) == 2
    assert says in text_of(requests[1]).rsplit("Your answer cannot be used", 1)[1]


def test_an_answer_that_was_cut_off_is_asked_for_again_with_a_higher_limit(tmp_path):
    cut = Answer(DRAFT[:600], finish="length")
    proposal, requests = proposed(tmp_path, cut, cut, Answer(DRAFT))
    assert proposal.programs == scenes.SLIDING and proposal.cost.calls == 3
    limits = [sent["max_tokens"] for sent in requests]
    assert limits == [limits[0], 2 * limits[0], 4 * limits[0]]
    assert text_of(requests[0]) == text_of(requests[2])


def test_small_changes_of_the_parent_are_taken_as_edits(tmp_path):
    archive = scenes.archive_of(scenes.sliding_node())
    old = next(line for line in scenes.SLIDING.dynamics.split("\n") if 'Param("friction"' in line)
    new = old.replace("0.1", "0.3")
    edit = f"Why.\n\ndynamics.py\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"
    wrong = edit.replace(old, "no such line", 1)
    move = Move("refine", "0", "dynamics")
    proposal, requests = proposed(tmp_path, Answer(wrong), Answer(edit), move=move, archive=archive)
    assert new in proposal.programs.dynamics and old not in proposal.programs.dynamics
    assert proposal.stages == ("dynamics",)
    assert "stand 0 times in dynamics.py" in text_of(requests[1])


def test_the_second_chance_is_cheap_when_there_is_something_to_mend(tmp_path):
    _, requests = proposed(tmp_path, Answer(DRAFT.replace("def step(", "def step[")), Answer(DRAFT))
    assert images_of(requests[0]) and not images_of(requests[1])
    assert "def step[" in text_of(requests[1], "assistant") and "# The contract" in text_of(
        requests[1], "system"
    )


def test_programs_that_cannot_run_cost_no_evaluation(tmp_path):
    broken = Answer(DRAFT.replace("from tools.types", "import os\nfrom tools.types"))
    proposal, requests = proposed(tmp_path, broken)
    assert proposal.programs is None and "cannot import os" in proposal.rationale
    assert proposal.cost.calls == len(requests) == 2


@pytest.mark.parametrize(
    ("answer", "says", "calls"),
    [
        (Answer(""), "empty", 2),
        (
            Answer("", refusal="I cannot help with boxes."),
            "declined to answer: 'I cannot help with boxes.'",
            1,
        ),
        (Answer("partial", finish="content_filter"), "declined", 1),
        (error(400, "something about your request is odd"), "refusal of the request", 0),
        (
            error(400, "This model's maximum context length is 10 tokens"),
            "longer than the model's context",
            0,
        ),
    ],
    ids=["empty", "refusal", "filter", "odd request", "no room"],
)
def test_nothing_usable_is_said_and_accounted_for(answer, says, calls, tmp_path):
    proposal, _ = proposed(tmp_path, answer)
    assert proposal.programs is None and says in proposal.rationale and not proposal.exhausted
    assert proposal.cost.calls == calls and len(proposal.exchanges) == 2 * calls


def test_an_answer_that_never_comes_is_one_lost_proposal(tmp_path):
    proposal, _ = proposed(tmp_path, Answer("late", delay=1.0), timeout=0.1)
    assert (
        proposal.programs is None
        and "within 0.1 s" in proposal.rationale
        and proposal.cost.calls == 2
        and not proposal.exhausted
    )


def test_a_prompt_that_is_too_long_is_asked_again_with_less(tmp_path):
    def small(request):
        return (
            error(400, "maximum context length is 4096 tokens")
            if len(images_of(request)) > 1
            else Answer(DRAFT)
        )

    with ScriptedServer(small) as server:
        proposal = propose(server, tmp_path)
        assert [len(images_of(request)) for request in server.requests] == [5, 3, 1]
        assert "shortened to fit" in text_of(server.requests[-1])
    assert proposal.programs == scenes.SLIDING


def test_duplicates_are_refused_and_said_so(tmp_path):
    archive = scenes.archive_of(scenes.sliding_node())
    proposal, requests = proposed(
        tmp_path,
        Answer(DRAFT.replace("    keep = 1", "    # slower and slower\n    keep = 1")),
        archive=archive,
    )
    fix = text_of(requests[1])
    assert proposal.programs is None and "same as program 0" in proposal.rationale
    assert "it scored 0.310" in fix and "do something else" in fix and not images_of(requests[1])


def test_rules_that_stay_broken_are_not_handed_on(tmp_path):
    rules = affordances.load("differentiable").to_markdown()
    proposal, requests = proposed(tmp_path, Answer(DRAFT), rules=rules)
    assert proposal.programs is None and "DIFFERENTIABLE = True" in proposal.rationale
    assert "must be differentiable" in text_of(requests[0]) and "not up for change" in text_of(
        requests[1]
    )


def test_a_server_that_is_down_stops_the_run_with_one_line(tmp_path):
    with pytest.raises(Unreachable, match="503") as caught:
        proposed(tmp_path, error(503, "overloaded"))
    assert "\n" not in str(caught.value)


def test_a_cap_ends_it(tmp_path):
    proposal, requests = proposed(tmp_path, Answer(DRAFT), max_tokens=3000)
    assert proposal.exhausted and "cap reached" in proposal.rationale and requests == []


def test_a_hint_reaches_the_prompt_and_a_name_does_not(tmp_path):
    with ScriptedServer(in_turn(Answer(DRAFT))) as server:
        options = ModelOptions(name="scripted", base_url=server.url)
        mine = proposers.make(
            SearchConfig(proposer="llm", hint="air track", model=options),
            Store(tmp_path / "s"),
            Access(SecretStr(KEY)),
        )
        mine.propose(scenes.sliders(), scenes.archive_of(), Move("draft"), np.random.default_rng(0))
        sent = text_of(server.requests[0])
    assert (
        "The user says: air track" in sent
        and "secret-environment" not in sent
        and KEY not in repr(mine)
    )


def test_offline_the_same_check_runs_on_measurements_alone_and_once():
    task, node, rng = scenes.sliders(), with_places(scenes.sliding_node()), np.random.default_rng(0)
    archive, move = scenes.archive_of(node), Move("refine", "0")
    mine = CheckedProposer(Says("offline"))
    first = mine.propose(task, archive, move, rng)
    assert [finding.kind for finding in first.findings] == [
        "detections_checked"
    ] and mine.name == "offline"
    child = replace(node, candidate=Candidate("1", scenes.SLIDING, "0", "refine", origin="offline"))
    assert mine.propose(task, archive.added(child), move, rng).findings == ()
    assert mine.propose(task, archive, Move("draft"), rng).findings == ()


# --------------------------------------------------------------------------------------------------


class Says:
    """A proposer that always says the same."""

    in_flight, asked, notes = 1, "nobody", ()
    begin = leave = briefed = None

    def __init__(self, name, programs=scenes.SLIDING, exhausted=False):
        self.name, self.programs, self.exhausted = name, programs, exhausted

    def propose(self, task, archive, move, rng):
        return Proposal(
            self.programs, f"{self.name} speaks", cost=Cost(1, 10, 1, 0.5), exhausted=self.exhausted
        )


def test_a_mixed_proposer_is_its_grammar_and_asks_its_model_where_that_is_silent():
    task, archive, rng = scenes.sliders(), scenes.archive_of(), np.random.default_rng(0)
    for said, told in ((scenes.SLIDING, "offline speaks"), (None, "llm speaks")):
        mixed = MixedProposer(Says("offline", said), Says("llm"))
        assert mixed.propose(task, archive, Move("draft"), rng).rationale == told
    assert isinstance(mixed, Waiting) and mixed.near.name == "offline"


# --------------------------------------------------------------------------------------------------


def variant(number):
    return Programs(
        scenes.PERCEPTION, scenes.DYNAMICS.replace("0.1", f"0.{number}"), scenes.RENDERING
    )


def recorded():
    """Draft, a refusal, and two refinements of the draft."""
    mark = fingerprint(variant(1))
    said = [
        Proposal(programs, text, cost=Cost(1, 5, 5, 1.0))
        for programs, text in (
            (variant(1), "draft"),
            (None, "no"),
            (variant(2), "better"),
            (variant(3), "best"),
        )
    ]
    moves = [
        (0, Move("draft"), None),
        (1, Move("refine", "0", "dynamics"), mark),
        (1, Move("refine", "0", "dynamics"), mark),
        (2, Move("refine", "0", "dynamics"), mark),
    ]
    return ReplayProposer(
        [
            Recorded(place, move, parent, proposal)
            for (place, move, parent), proposal in zip(moves, said, strict=True)
        ]
    )


def replayed(archive, move):
    return recorded().propose(scenes.sliders(), archive, move, np.random.default_rng(0))


def holding(*programs):
    base = scenes.sliding_node()
    return scenes.archive_of(
        *(replace(base, candidate=Candidate(str(k), p)) for k, p in enumerate(programs))
    )


def test_the_same_questions_get_the_same_answers_refusals_too():
    refine, archive = Move("refine", "0", "dynamics"), holding(variant(1))
    assert replayed(holding(), Move("draft")).programs == variant(1)
    assert (replayed(archive, refine).programs, replayed(archive, refine).rationale) == (None, "no")
    after = archive.refused(refine)
    assert replayed(after, refine).programs == variant(2) and replayed(after, refine).cost == Cost()
    more = after.added(replace(scenes.sliding_node(), candidate=Candidate("1", variant(2))))
    assert replayed(more, refine).programs == variant(3)


def test_other_questions_get_the_nearest_unused_answer():
    other = replayed(holding(variant(7)), Move("refine", "0", "dynamics"))
    assert other.programs == variant(2) and "another question" in other.rationale
    draft_again = replayed(holding(variant(1)), Move("draft"))
    assert (
        draft_again.programs == variant(2) and "another kind of question" in draft_again.rationale
    )
    used_up = replayed(holding(variant(1), variant(2), variant(3)), Move("draft"))
    assert used_up.programs is None and used_up.exhausted
