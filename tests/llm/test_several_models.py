"""Several models at one budget, what prompts are foretold to cost, and a look at measurements
before programs are written."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pydantic import SecretStr

from agent import proposers
from agent.cli.commands import _prices
from agent.config import SearchConfig
from agent.core.protocols import Cost, Known, Move
from agent.models.bandit import Arm, choose
from agent.models.ledger import Caps, Gauge, Ledger, Size
from agent.models.messages import Reply
from agent.models.options import ModelOptions
from agent.models.prices import Price
from agent.prompting.reply import read_programs
from agent.proposers import Access
from agent.run.store import Store
from tests.llm import scenes
from tests.llm.server import KEY, Answer, ScriptedServer, images_of, in_turn, text_of
from tools.errors import UsageError
from tools.types import Failure

FILES = "\n".join(f"```python {stage}.py\n{source}```" for stage, source in scenes.SLIDING.items())
DRAFT = f"Two boxes slide.\n\n{FILES}"


def made(server, tmp_path, **model):
    options = ModelOptions(
        name="big", base_url=server.url, **{"pause": 0.0, "attempts": 2, "check": False} | model
    )
    settings = SearchConfig(proposer="llm", model=options)
    return proposers.make(settings, Store(tmp_path / "store"), Access(SecretStr(KEY)))


def asked(mine, move, archive=None, seed=0):
    archive = archive or scenes.archive_of()
    return mine.propose(scenes.sliders(), archive, move, np.random.default_rng(seed))


# --------------------------------------------------------------------------------------------------


def test_each_model_is_tried_once_and_then_what_it_gains_for_a_dollar_counts():
    prices = [10.0, 1.0]
    fresh = [Arm("big"), Arm("small")]
    assert choose(fresh, False, prices) == "small"
    assert choose(fresh, False, prices, {"small"}) == "big"
    assert choose(fresh, False, prices, {"small", "big"}) == "small"
    assert choose([Arm("big"), Arm("small", 1, 0.1, 0.001)], False, prices) == "big"
    dear = [Arm("big", 4, 0.5, 0.4), Arm("small", 4, 0.3, 0.01)]
    assert choose(dear, False, prices) == "small" and choose(dear, True, prices) == "small"
    useless = [Arm("big", 6, 0.9, 0.3), Arm("small", 40, 0.0, 0.2)]
    assert choose(useless, False, prices) == "big" and choose(useless, True, prices) == "small"


def test_a_bandit_finds_the_model_that_is_worth_its_price():
    """Over 200 answers, whichever of the two it is."""
    for worth in ("big", "small"):
        rng, arms = np.random.default_rng(0), {"big": Arm("big"), "small": Arm("small")}
        for _ in range(200):
            name = choose(list(arms.values()), False, [1.0, 0.2])
            cost = {"big": 0.05, "small": 0.01}[name]
            luck = 0.5 if name == worth else 0.02
            won = 0.1 * (rng.random() < luck)
            one = arms[name]
            arms[name] = Arm(name, one.answers + 1, one.gain + won, one.dollars + cost)
        assert arms[worth].answers > 140, (worth, arms)


def test_models_share_an_account_and_each_has_its_price():
    first = Ledger(Price(2.0, 8.0), Caps(max_cost=0.05))
    second = first.of(Price(0.1, 0.4))
    second.charge(second.cost(100_000, 0))
    assert first.spent == second.spent and first.spent.money == pytest.approx(0.01)
    with pytest.raises(ValueError, match="--price"):
        first.of(None)
    assert _prices(["1,2", "a/b=3,4"]) == (Price(1.0, 2.0), (("a/b", 3.0, 4.0),))
    with pytest.raises(UsageError, match="--price: expected INPUT,OUTPUT"):
        _prices(["a=b"])


def test_the_search_asks_the_model_that_the_brief_names(tmp_path):
    with ScriptedServer(lambda request: Answer(DRAFT, usage=(1000, 100))) as server:
        prices = (("big", 10.0, 30.0), ("small", 0.1, 0.4))
        mine = made(server, tmp_path, others=("small",), prices=prices)
        draft = mine.briefed(Move("draft"), scenes.archive_of(), ())
        first = asked(mine, draft)
        node = scenes.sliding_node()
        candidate = replace(node.candidate, origin=first.origin, programs=scenes.SWINGING)
        archive = scenes.archive_of(replace(node, candidate=candidate))
        second = mine.briefed(Move("draft"), archive, ())
        asked(mine, second, archive, seed=1)
        models = [request["model"] for request in server.requests]
    assert (draft.brief.model, first.origin) == ("small", "llm:small")
    assert second.brief.model == "big" and models == ["small", "big"]
    assert mine.spent.money == pytest.approx(1000 * 10.1e-6 + 100 * 30.4e-6)
    assert mine.asked == "big or small"
    repair = mine.briefed(Move("repair", "0"), archive, ())
    assert repair.brief.model == "small"


# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bytes_a_token, pictures", [(4.4, 0.6), (3.0, 1.8), (4.0, 4.5)])
def test_tokens_are_foretold_within_a_fifth_from_the_second_call_on(bytes_a_token, pictures):
    """Endpoints that count text and pictures each in their own way."""
    sizes = [Size(22_000, 4200), Size(30_000, 6000), Size(26_000, 5200), Size(34_000, 6800)]
    gauge = Gauge()
    assert gauge.estimate(sizes[0]) == int(22_000 / 2.5) + 4200  # high, while nothing is known
    for before, after in pairwise(sizes):
        gauge.learn(before, int(before.text / bytes_a_token + pictures * before.pictures))
        truth = after.text / bytes_a_token + pictures * after.pictures
        assert abs(gauge.estimate(after) - truth) < 0.2 * truth


def test_what_was_counted_is_known_again_after_a_kill(tmp_path):
    with ScriptedServer(lambda request: Answer(DRAFT, usage=(6000, 100))) as server:
        asked(made(server, tmp_path), Move("draft"))
        again = made(server, tmp_path)
        ((size, tokens),) = again.client.recording.counts("big")
        assert tokens == 6000 and abs(again.client._gauge.estimate(size) - 6000) < 600


# --------------------------------------------------------------------------------------------------

LOOK = "I want to see.\n\n```python measure.py\n" + scenes.PERCEPTION + "```"


def test_a_model_may_look_at_what_its_perception_measures_before_it_writes(tmp_path):
    node, seen = scenes.sliding_node(), []

    def measure(source):
        seen.append(source)
        return node.evaluation.measured[0]

    with ScriptedServer(in_turn(Answer(LOOK), Answer(DRAFT))) as server:
        mine = made(server, tmp_path)
        mine.begin(Known(scenes.sliders(), measure=measure))
        proposal = asked(mine, Move("draft"))
        first, second = server.requests
    assert proposal.programs == scenes.SLIDING and len(seen) == 1 and "left" in seen[0]
    assert "left.x [px]" in text_of(second) and "Now write the files" in text_of(second)
    assert images_of(first) and not images_of(second) and proposal.cost.calls == 2


def test_it_may_look_once_and_is_told_why_its_perception_fails(tmp_path):
    failed = Failure("perception", "ValueError", "perception.py line 3: no such part")
    with ScriptedServer(in_turn(Answer(LOOK), Answer(LOOK), Answer(DRAFT))) as server:
        mine = made(server, tmp_path)
        mine.begin(Known(scenes.sliders(), measure=lambda source: failed))
        proposal = asked(mine, Move("draft"))
        texts = [text_of(request) for request in server.requests]
    assert "no such part" in texts[1] and "expected programs now" in texts[2]
    assert proposal.programs == scenes.SLIDING and proposal.cost == Cost(3, 3000, 600, None)


def test_a_wish_to_measure_is_read_in_json_too():
    written = read_programs(Reply('{"rationale": "r", "measure": "def perceive(f, t): pass"}'))
    assert written.measure.startswith("def perceive") and not written.files


def test_a_model_that_sees_nothing_gets_the_scene_in_words(tmp_path):
    with ScriptedServer(lambda request: Answer(DRAFT), without=("image_url",)) as server:
        proposal = asked(made(server, tmp_path), Move("draft"))
        text = text_of(server.requests[-1])
    assert proposal.programs == scenes.SLIDING and not images_of(server.requests[-1])
    assert "In letters (" in text and "..1111" in text and "..2222" in text
    assert "Picture 1: frame 0" in text and "thing 1: colour" in text
