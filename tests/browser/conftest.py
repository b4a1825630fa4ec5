from dataclasses import replace

import pytest

from agent.core.protocols import Cost
from agent.models.messages import Field, Form, Message, Reply, Request
from agent.run.store import Store
from sandbox import Sandbox
from tests.agent import test_search
from tests.agent.candidates import STORY, Scripted

REQUEST = Request(
    "some-model",
    (Message.say("system", "Write programs."), Message.say("user", "Here is a video.")),
    Form("programs", "all", (Field("why", "why"),)),
)
REPLY = Reply("Thrown: \x1b[2J a parabola.", output_tokens=7, model="some-model")


class Talking(Scripted):
    """A scripted proposer that says what was asked of a model, and what it cost."""

    def __init__(self, store):
        super().__init__(*STORY)
        self.exchange = (store.put(REQUEST.to_bytes()), store.put(REPLY.to_bytes()))

    def propose(self, *arguments):
        return replace(
            super().propose(*arguments), exchanges=self.exchange, cost=Cost(1, 100, 7, 0.01)
        )


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A finished run: fails, wrong structure, refusal, duplicate, right."""
    out = tmp_path_factory.mktemp("browser") / "run"
    with Sandbox(workers=1) as sandbox:
        test_search.searched(sandbox, out, Talking(Store(out / "store")))
    return out
