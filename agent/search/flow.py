"""A search that waits for nobody: several questions to a model are in flight while candidates are
evaluated and a proposer that needs no model goes on.

What comes next is whatever arrives first, so the order of arrival decides how the search goes on.
It is on record: the trace holds, in order, every question when it is asked (before it is sent),
every answer when it enters, and every evaluation. A resumed run, and a replay, let the same things
enter in the same order; only after the last of them does arrival decide again.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.archive import NodeArchive
from agent.core.protocols import Cost, Diagnosis, Move, Node, Proposal, Proposer, Waiting
from agent.core.screen import fingerprint
from agent.run import records
from agent.run.script import Script
from tools.types import Candidate, Evaluation, Programs, Task

if TYPE_CHECKING:
    from agent.search.steps import Search

SEEDED = "seed"
"""Origin of programs that were put into the run before it began (agent.search.fork)."""
MAX_DECLINED = 3
"""Proposals in a row that may come to nothing before nobody asks for more."""
PENDING = Evaluation("pending")
UNREAD = Diagnosis(None, "pending")
_UNWRITTEN = Programs("", "", "")


@dataclass
class _Lane:
    """One of those who propose. vain: proposals in a row that came to nothing. stopped: why it
    proposes no more, "" while it does. exhausted: for want of ideas."""

    vain: int = 0
    stopped: str = ""
    exhausted: bool = False

    def accepted(self) -> None:
        """It proposed something, perhaps after it had been given up."""
        self.vain = 0
        if self.exhausted:
            self.stopped, self.exhausted = "", False

    def refused(self, proposal: Proposal, news: bool, pays: bool, most: int) -> None:
        """It had nothing to say. news: nor will it have about this node, which nobody knew. most:
        proposals in a row that may come to nothing."""
        self.vain += not news
        if proposal.exhausted:
            self.stopped = proposal.rationale or "the proposer has nothing more to say"
            self.exhausted = not pays  # whose cap may be reached
        elif self.vain >= most:
            self.exhausted = True
            self.stopped = (
                f"{most} proposals in a row came to nothing; the last: {proposal.rationale}"
            )


class Flow:
    """Asks, lets enter, evaluates. One thread (the caller's) decides; others only wait and work.

    search: whose archive grows. proposer: None where everything comes from the script (a replay).
    """

    def __init__(self, search: Search, proposer: Waiting | None, script: Script, task: Task):
        self._search, self._proposer, self._task = search, proposer, task
        self._distant: Proposer | None = proposer.distant if proposer else None
        self._near: Proposer | None = proposer.near if proposer else None
        serial = search.policy.serial
        self._slots = 0 if proposer is None else 1 if serial else proposer.in_flight
        self._script, self._answered = deque(script.events), script.answered
        self._stored = script.stored
        self._far_lane, self._near_lane = _Lane(), _Lane()
        self._near_refusals = NodeArchive()
        self._flying: dict[int, tuple[Move, float]] = {}
        self._sent: set[int] = set()  # those of them that this session waits for
        self._from_far: set[str] = set()
        self._attempts: Counter[str] = Counter()
        self._tickets = 0
        self._judging: set[str] = set()
        self._judged: dict[str, Evaluation] = {}
        self._judges = ThreadPoolExecutor(max(search.config.workers, 1 + (self._near is not None)))
        self._arrived: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._inbox: list[tuple[str, Any]] = []

    def advance(self) -> list[str]:
        """Go on until a candidate has been evaluated: its id. Nothing when there is nothing more to
        wait for."""
        while True:
            if self._script and not self._search.reached:
                node = self._follow(self._script.popleft())
            else:
                self._go_live()
                self._top_up()
                if not (self._judging or (self._sent and not self._search.reached)):
                    self._end()
                    return []
                node = self._enter(*self._await())
            if node is not None:
                return [node]

    def evaluation(self, node_id: str) -> Evaluation:
        """What became of a candidate that ``advance`` returned."""
        return self._judged.pop(node_id)

    def leave(self) -> None:
        """The search is over: nobody will come back for what is in flight."""
        if self._proposer is not None:
            self._proposer.leave()
        self._search.folder.drop_nodes(len(self._search.archive))

    def close(self) -> None:
        """Let go of what is still at work."""
        self._judges.shutdown(wait=False, cancel_futures=True)

    # --------------------------------------------------------------------------------- on record

    def _follow(self, event: Mapping[str, Any]) -> str | None:
        """Let enter what entered before."""
        if event["event"] == "evaluated":
            node = event["node"]
            return self._enter(*self._await(node)) if node in self._judging else None
        move = records.load_move(event["move"])
        ticket = event["ticket"]
        place = str(len(self._search.archive))
        if event["event"] == "asked":
            self._tickets = max(self._tickets, ticket + 1)
            self._ask(ticket, move, ticket not in self._answered)
        elif event["node"] == place and int(place) < self._search.config.budget:
            found = (
                records.load_proposal(event, None)[0]
                if event["event"] == "declined"
                else self._again(event["node"], ticket, move)
            )
            paid = self._proposer is not None
            self._answer(ticket, move, found if paid else replace(found, cost=Cost()))
        else:  # a replay under a smaller budget, or a trace that lost lines
            self._script.clear()
        return None

    def _again(self, node: str, ticket: int | None, move: Move) -> Proposal:
        """What was proposed as ``node``; what was lost is made again from what is recorded."""
        stored = self._stored(node)
        if stored is not None:
            return stored[0]
        proposer = self._near if ticket is None else self._distant
        assert proposer is not None, "a replay has every proposal"
        archive = self._near_view() if ticket is None else self._search.archive
        return proposer.propose(self._task, archive, move, self._rng(ticket))

    # -------------------------------------------------------------------------------------- live

    def _go_live(self) -> None:
        """The script is over, or has ended early: what was asked in it and is not awaited now will
        not come."""
        self._script.clear()
        self._flying = {ticket: self._flying[ticket] for ticket in sorted(self._sent)}

    def _top_up(self) -> None:
        """Ask for as much as there is room for."""
        if self._search.reached or self._proposer is None or self._seeded():
            return
        while not self._far_lane.stopped and self._wanted() and self._room() > 0:
            move = self._choose(self._proposer)
            self._tickets += 1
            self._ask(self._tickets - 1, move, True)
        while self._near_wanted() and self._room() > 0:
            view = self._near_view()
            rng = np.random.default_rng(self._search.config.seed)
            move = self._search.policy.choose(view, rng)
            assert self._near is not None, "it is wanted"
            self._answer(None, move, self._near.propose(self._task, view, move, rng))

    def _seeded(self) -> bool:
        """Whether a program that was put into the run beforehand has entered, or is looked at."""
        stored = self._search.folder.load_proposal(str(len(self._search.archive)))
        if stored is None or stored[0].origin != SEEDED:
            return False
        self._answer(None, stored[1], stored[0])
        return True

    def _wanted(self) -> bool:
        """Whether another question should go out: a slot is free once its answer is evaluated, or
        as soon as it is there, where nothing is asked differently for it. Where somebody proposes
        for nothing, it shows first what it can do."""
        nodes = self._search.archive.nodes
        if any(n.candidate.origin == SEEDED and n.evaluation is PENDING for n in nodes):
            return False
        shown = self._near is None or bool(self._near_lane.stopped)
        shown = shown or any(node.evaluation is not PENDING for node in nodes)
        unread = 0 if self._search.policy.blind else len(self._judging & self._from_far)
        return shown and len(self._flying) + unread < self._slots

    def _near_wanted(self) -> bool:
        return (
            self._near is not None
            and not self._near_lane.stopped
            and not self._judging - self._from_far
        )

    def _choose(self, proposer: Waiting) -> Move:
        """The next question, as if those in flight had been answered already, by nothing good."""
        archive = self._search.archive
        for node in archive.nodes:  # whoever needs no model mends its own
            if node.evaluation.failure is not None and self._is_near(node):
                archive = archive.added(replace(node, evaluation=PENDING))
        for move, _ in self._flying.values():
            candidate = Candidate(str(len(archive)), _UNWRITTEN, move.parent, move.kind)
            archive = archive.added(Node(candidate, PENDING, UNREAD))
        rng = np.random.default_rng((self._search.config.seed, self._tickets))
        move = self._search.policy.choose(archive, rng)
        others = [move for move, _ in self._flying.values()]
        return proposer.briefed(move, self._search.archive, others)

    def _ask(self, ticket: int, move: Move, send: bool) -> None:
        self._search.tell(
            {
                "event": "asked",
                "ticket": ticket,
                "move": records.save_move(move),
                "time": time.time(),
            }
        )
        self._flying[ticket] = (move, time.monotonic())
        if send and self._distant is not None:
            self._sent.add(ticket)
            what = (self._distant, self._search.archive, move, self._rng(ticket))
            name = f"question {ticket}"
            threading.Thread(target=self._work, args=(name, *what), daemon=True, name=name).start()
        self._say_waiting()

    def _work(
        self,
        name: str,
        proposer: Proposer,
        archive: NodeArchive,
        move: Move,
        rng: np.random.Generator,
    ) -> None:
        try:
            self._arrived.put((name, proposer.propose(self._task, archive, move, rng)))
        except BaseException as error:  # raised again where the search can end
            self._arrived.put((name, error))

    def _await(self, wanted: str | None = None) -> tuple[str, Any]:
        """What arrived first, or what is ``wanted``, whenever that arrives."""
        while True:
            for place, (name, _) in enumerate(self._inbox):
                if wanted in (None, name):
                    return self._inbox.pop(place)
            self._inbox.append(self._arrived.get())

    def _enter(self, name: str, what: Any) -> str | None:
        """Let an answer or an evaluation enter; the node that is evaluated now, if one is."""
        if isinstance(what, BaseException):
            raise what
        if isinstance(what, Evaluation):
            self._judging.discard(name)
            self._judged[name] = what
            return name
        ticket = int(name.split()[1])
        self._answer(ticket, self._flying[ticket][0], self._unless_known(what))
        return None

    def _unless_known(self, proposal: Proposal) -> Proposal:
        """A proposal, without its programs where another one that was in flight at the same time
        has them too: they would cost an evaluation and tell nothing."""
        if proposal.programs is None:
            return proposal
        same = self._search.archive.fingerprints().get(fingerprint(proposal.programs))
        if same is None:
            return proposal
        return replace(proposal, programs=None, rationale=f"the same programs as node {same}")

    def _answer(self, ticket: int | None, move: Move, proposal: Proposal) -> None:
        """A proposal becomes a node that is evaluated, or a refusal is remembered."""
        near = ticket is None
        lane = self._near_lane if near else self._far_lane
        if ticket is not None:
            self._flying.pop(ticket, None)
            self._sent.discard(ticket)
            self._say_waiting()
            for line in () if self._proposer is None else self._proposer.news():
                self._search.announce({"event": "noted", "line": line})
        node_id = str(len(self._search.archive))
        if proposal.programs is None:
            self._refuse(lane, node_id, ticket, move, proposal)
            return
        lane.accepted()
        proposer = self._near if near else self._distant
        if not proposal.origin and proposer is not None:
            proposal = replace(proposal, origin=proposer.name)
        self._search.enter(node_id, proposal, move, ticket)
        self._judging.add(node_id)
        self._from_far |= set() if near else {node_id}
        self._judges.submit(self._judge, node_id)

    def _refuse(
        self, lane: _Lane, node_id: str, ticket: int | None, move: Move, proposal: Proposal
    ) -> None:
        near = ticket is None
        known = self._near_refusals.closed if near else self._search.archive.closed
        news = proposal.closed and move.parent not in known
        most = MAX_DECLINED + (0 if near else max(self._slots - 1, 0))  # those asked at once too
        lane.refused(proposal, news, not near, most)
        self._attempts[node_id] += 1
        self._search.tell_declined(node_id, self._attempts[node_id], proposal, move, ticket)
        if near:
            self._near_refusals = self._near_refusals.refused(move, proposal.closed)
        else:
            self._search.archive = self._search.archive.refused(move, proposal.closed)

    def _judge(self, node_id: str) -> None:
        try:
            self._arrived.put((node_id, self._search.evaluated(node_id)))
        except BaseException as error:
            self._arrived.put((node_id, error))

    def _end(self) -> None:
        """Why nothing more is to come."""
        lanes = [self._far_lane] + [self._near_lane] * (self._near is not None)
        if self._proposer is None:
            count = len(self._search.archive)
            words = f"all {count} recorded proposals have been used"
            lanes = [_Lane(stopped=words, exhausted=True)]
        if all(lane.stopped for lane in lanes):
            self._search.stopped = "; ".join(lane.stopped for lane in lanes)
            self._search.exhausted = all(lane.exhausted for lane in lanes)

    # ----------------------------------------------------------------------------------- of both

    def _room(self) -> int:
        """Candidates that the budget still allows; each question in flight takes one."""
        return self._search.config.budget - len(self._search.archive) - len(self._flying)

    def _is_near(self, node: Node) -> bool:
        return self._near is not None and node.candidate.origin == self._near.name

    def _near_view(self) -> NodeArchive:
        """The search as whoever needs no model sees it: alone."""
        nodes = tuple(node for node in self._search.archive.nodes if self._is_near(node))
        refusals, tolerance = self._near_refusals, self._search.archive.tolerance
        return NodeArchive(nodes, refusals.declined, tolerance, refusals.closed)

    def _rng(self, ticket: int | None) -> np.random.Generator:
        seed = self._search.config.seed
        if ticket is None:
            return np.random.default_rng(seed)
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ticket, 0)))

    def _say_waiting(self) -> None:
        """Tell whoever watches how many answers are awaited, and since when."""
        since = min((began for _, began in self._flying.values()), default=None)
        who = self._proposer.asked if self._proposer else ""
        self._search.announce(
            {"event": "waiting", "model": who, "calls": len(self._flying), "since": since}
        )
