"""Every node so far, in order of proposal. A value: adding a node makes a new archive.

Which node is the best: the one of the highest score, unless others tie with it. Scores within
``tolerance`` tie everywhere; nodes whose proposer keeps a belief tie also within the ``leeway`` of
the highest (what a camera misplaces, noise hides, a fit leaves open or a drawing on whole pixels
rounds decides nothing). Of those that tie:

1. only the likeliest of the nodes with a belief stays: what is seen does not tell them apart, so
   what is known beforehand does;
2. of the rest, those stay that are not clearly larger (by ``SMALLER``) than the smallest;
3. of these the oldest wins, which its proposer thought likelier.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agent.core.protocols import Move, Node
from agent.core.screen import fingerprint
from tools.types import ContractError, as_names

SMALLER = 1.03
"""Programs whose complexity differs by less than this factor are equally simple: a digit more in a
number decides nothing."""


@dataclass(frozen=True)
class Choice:
    """Which node is the best, and why. tied: it and those that tie with it, in order of proposal.
    by_belief: whether beliefs decided between some of these."""

    node: Node
    tied: tuple[Node, ...]
    by_belief: bool = False


@dataclass(frozen=True)
class NodeArchive:
    """nodes: in order of proposal; one whose evaluation has status "pending" was proposed in the
    same round and has no score yet. declined: moves to which the proposer had nothing to say, in
    order. closed: nodes about which it will not have. screened: fingerprints of programs that were
    left out after a short fit. tolerance: scores closer than this tie."""

    nodes: tuple[Node, ...] = ()
    declined: tuple[Move, ...] = ()
    tolerance: float = 0.005
    closed: frozenset[str | None] = frozenset()
    screened: frozenset[str] = frozenset()
    _index: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index.update({node.id: position for position, node in enumerate(self.nodes)})

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, node_id: str) -> Node:
        if node_id not in self._index:
            raise ContractError(
                "node",
                "one of " + (as_names([node.id for node in self.nodes]) or "none yet"),
                repr(node_id),
            )
        return self.nodes[self._index[node_id]]

    def added(self, node: Node) -> NodeArchive:
        """This archive and one more node; a node of the same id (a pending one) is replaced."""
        if node.id in self._index:
            nodes = tuple(node if old.id == node.id else old for old in self.nodes)
        else:
            nodes = (*self.nodes, node)
        return replace(self, nodes=nodes, _index={})

    def left_out(self, mark: str) -> NodeArchive:
        """This archive, and the fingerprint of programs that are out of reach of the best."""
        return replace(self, screened=self.screened | {mark}, _index={})

    def refused(self, move: Move, closed: bool = False) -> NodeArchive:
        """This archive, and one more move that led nowhere; closed: no other from the same node
        will lead anywhere."""
        return replace(
            self,
            declined=(*self.declined, move),
            closed=self.closed | ({move.parent} if closed else set()),
            _index={},
        )

    @property
    def scored(self) -> tuple[Node, ...]:
        """Nodes that ran to the end."""
        return tuple(node for node in self.nodes if node.evaluation.status == "ok")

    @property
    def best(self) -> Node | None:
        """The node chosen among those that ran to their end, None before there is one."""
        chosen = self.choice
        return None if chosen is None else chosen.node

    @property
    def choice(self) -> Choice | None:
        """The best node and why it is that (see the module), None before anything ran to its
        end."""
        nodes = self.scored
        if not nodes:
            return None
        top = max(nodes, key=lambda node: node.score)
        leeway = top.evaluation.leeway
        wide, usual = top.score - max(leeway, self.tolerance), top.score - self.tolerance
        tied = tuple(n for n in nodes if n.score >= (usual if n.candidate.belief is None else wide))
        left = _likeliest(tied)
        least = min(node.evaluation.complexity for node in left)
        best = next(node for node in left if node.evaluation.complexity <= SMALLER * least)
        return Choice(best, tied, len(left) < len(tied))

    def ranked(self) -> tuple[Node, ...]:
        """Nodes that ran to the end, the best first."""
        rest, order = NodeArchive(self.scored, tolerance=self.tolerance), []
        while rest.best is not None:
            order.append(rest.best)
            rest = NodeArchive(
                tuple(node for node in rest.nodes if node is not order[-1]),
                tolerance=self.tolerance,
            )
        return tuple(order)

    def children(self, node_id: str | None) -> tuple[Node, ...]:
        """Nodes whose parent is ``node_id`` (None: the drafts)."""
        return tuple(node for node in self.nodes if node.candidate.parent == node_id)

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of the programs -> id of the first node that has them."""
        found: dict[str, str] = {}
        for node in self.nodes:
            found.setdefault(fingerprint(node.candidate.programs), node.id)
        return found


def _likeliest(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Without those that their proposer thinks less likely than another of them."""
    most = max((n.candidate.belief for n in nodes if n.candidate.belief is not None), default=0.0)
    return tuple(n for n in nodes if n.candidate.belief is None or n.candidate.belief >= most)
