"""What to try next: which node to expand and how. Policies see the archive alone and are pure.

A new policy is a class with ``name``, ``serial``, ``blind`` and ``choose``, and one line in
``POLICIES``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.core.archive import NodeArchive
from agent.core.protocols import Archive, Move, Node, Policy
from agent.core.screen import DUPLICATE
from tools.errors import UsageError

_FRUITLESS = 0.02  # score that every fruitless attempt on a node costs it when nodes compete


@dataclass(frozen=True)
class TreeSearch:
    """Repair what broke, otherwise refine the guilty stage of the most promising node, otherwise
    draft anew.

    drafts: new structures tried before refining, unless one scores at least ``promising``. repairs:
    attempts at one broken program before it is given up. patience: fruitless attempts on a node
    before others are preferred.
    """

    name: str = "tree"
    serial: bool = False
    blind: bool = False
    drafts: int = 2
    promising: float = 0.5
    repairs: int = 2
    patience: int = 4

    def choose(self, archive: NodeArchive, rng: np.random.Generator) -> Move:
        """Pure but for ``rng``, which it does not use."""
        broken = self._broken(archive)
        if broken is not None:
            return Move(
                "repair",
                broken.id,
                _failed_stage(broken),
                f"it failed: {_failure_of(broken)}",
            )
        best = archive.best
        drafts = len(archive.children(None))
        if best is None or (
            best.score < self.promising and drafts < self.drafts and not _declined(archive, None)
        ):
            return Move(
                "draft",
                reason="nothing has run yet"
                if best is None
                else f"the best score is {best.score:.3f}, so another structure is worth a try",
            )
        return self._refine(archive)

    def _broken(self, archive: NodeArchive) -> Node | None:
        """The newest node, if it failed, has not been followed up and its line of repairs is not
        too long."""
        node = next(
            (node for node in reversed(archive.nodes) if node.evaluation.status != "pending"), None
        )
        if (
            node is None
            or node.evaluation.failure is None
            or archive.children(node.id)
            or _declined(archive, node.id)
        ):
            return None
        if node.evaluation.failure.kind == DUPLICATE:
            return None
        return node if _repairs(archive, node) < self.repairs else None

    def _refine(self, archive: NodeArchive) -> Move:
        fruitless = {node.id: _fruitless(archive, node) for node in archive.scored}
        able = [node for node in archive.scored if node.id not in archive.closed]
        open_nodes = [node for node in able if fruitless[node.id] < self.patience] or (
            able if None in archive.closed else []
        )
        if not open_nodes:
            return Move(
                "draft",
                reason=f"{self.patience} attempts on every node brought nothing, or there is "
                "nothing to say about it",
            )
        rank = {node.id: position for position, node in enumerate(archive.ranked())}
        node = min(
            open_nodes,
            key=lambda node: (-(node.score - _FRUITLESS * fruitless[node.id]), rank[node.id]),
        )
        return Move(
            "refine", node.id, node.diagnosis.guilty, _why(node, archive, fruitless[node.id])
        )


@dataclass(frozen=True)
class BestOfN:
    """Drafts only, each without knowing the others' fate: the baseline that a search must beat."""

    name: str = "best-of-n"
    serial: bool = False
    blind: bool = True

    def choose(self, archive: Archive, rng: np.random.Generator) -> Move:
        """Always a draft."""
        return Move("draft", reason="every candidate is a fresh draft")


@dataclass(frozen=True)
class Linear:
    """One line: each node is the repair or the refinement of the one before, better or not."""

    name: str = "linear"
    serial: bool = True
    blind: bool = False

    def choose(self, archive: Archive, rng: np.random.Generator) -> Move:
        """Repair or refine the newest node that is not pending."""
        node = next(
            (node for node in reversed(archive.nodes) if node.evaluation.status != "pending"), None
        )
        if node is None:
            return Move("draft", reason="nothing has run yet")
        if node.evaluation.failure is not None:
            return Move(
                "repair",
                node.id,
                _failed_stage(node),
                f"it failed: {_failure_of(node)}",
            )
        return Move(
            "refine", node.id, node.diagnosis.guilty, f"it is the newest; {_what_is_left(node)}"
        )


def _failure_of(node: Node) -> str:
    failure = node.evaluation.failure
    return "" if failure is None else failure.message


_ALL: tuple[Policy, ...] = (TreeSearch(), BestOfN(), Linear())
POLICIES = {policy.name: policy for policy in _ALL}
"""Policies by name."""


def named(name: str) -> Policy:
    """The policy called ``name``; an unknown name lists the known ones (UsageError)."""
    if name not in POLICIES:
        raise UsageError("policy", f"one of {', '.join(POLICIES)}", repr(name))
    return POLICIES[name]


def _failed_stage(node: Node) -> str | None:
    return node.diagnosis.guilty


def _repairs(archive: NodeArchive, node: Node) -> int:
    """How many repairs in a row led to ``node``."""
    count = 0
    while node.candidate.move == "repair" and node.candidate.parent is not None:
        node, count = archive[node.candidate.parent], count + 1
    return count


def _declined(archive: NodeArchive, parent: str | None) -> int:
    return sum(move.parent == parent for move in archive.declined)


def _fruitless(archive: NodeArchive, node: Node) -> int:
    """Attempts on ``node`` that neither it nor anything below them got better by."""
    return _declined(archive, node.id) + sum(
        not _better(archive, child, node.score) for child in archive.children(node.id)
    )


def _better(archive: NodeArchive, node: Node, score: float) -> bool:
    return node.score > score + archive.tolerance or any(
        _better(archive, child, score) for child in archive.children(node.id)
    )


def _why(node: Node, archive: NodeArchive, fruitless: int) -> str:
    place = (
        "the best so far"
        if node is archive.best
        else f"promising at {node.score:.3f} while better nodes are stuck"
    )
    return (
        f"node {node.id} is {place}"
        + (f" after {fruitless} fruitless attempts" if fruitless else "")
        + f"; {_what_is_left(node)}"
    )


def _what_is_left(node: Node) -> str:
    return node.diagnosis.findings[0].message if node.diagnosis.findings else node.diagnosis.verdict
