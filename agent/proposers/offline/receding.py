"""What moves disks that go away from a camera: their path in space, explained like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.proposers.offline.contacts import struck
from agent.proposers.offline.evidence import Evidence
from agent.proposers.offline.flying import free_options
from agent.proposers.offline.mechanism import Body, Term
from agent.proposers.offline.options import Option
from agent.proposers.offline.perspective import view_of


def receding_options(body: Body, evidence: Evidence, limit: int) -> list[Option]:
    """What moves a disk across its way, as ``flying.free_options`` has it."""
    seen = _spatial(body.name, evidence)
    return [] if seen is None else free_options(body, seen, limit)


def bounds_of(bodies: Sequence[Body], evidence: Evidence) -> list[Term]:
    """Walls and floors that turned such disks back, in space."""
    views = [(body.name, _spatial(body.name, evidence)) for body in bodies]
    return [term for name, seen in views if seen is not None for term in struck([name], seen)]


def _spatial(name: str, evidence: Evidence) -> Evidence | None:
    """The evidence with one disk alone, in space, where nothing that is drawn has a place."""
    path = evidence.paths[name]
    view = view_of(path, evidence)
    if view is None:
        return None
    bare = replace(evidence.tracks, plate=np.zeros_like(evidence.tracks.plate))
    return replace(evidence, paths={name: view.in_space(path)}, tracks=bare)
