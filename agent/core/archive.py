"""Every node so far, in order of proposal. A value: adding a node makes a new archive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agent.core.protocols import Move, Node
from agent.core.screen import fingerprint
from tools.types import ContractError, as_names

SMALLER = 1.03
"""Programs whose complexity differs by less than this factor are equally simple: a digit more in a
number decides nothing."""


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
        """Highest score; among ties the clearly smaller complexity (by ``SMALLER``), then the older
        node, which the proposer thought likelier. None before anything ran to its end."""
        nodes = self.scored
        if not nodes:
            return None
        top = max(node.score for node in nodes)
        ties = [node for node in nodes if node.score >= top - self.tolerance]
        least = min(node.evaluation.complexity for node in ties)
        return next(node for node in ties if node.evaluation.complexity <= SMALLER * least)

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
