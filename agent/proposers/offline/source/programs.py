"""The three programs of a mechanism."""

from __future__ import annotations

from agent.proposers.offline.grammar.mechanism import Mechanism
from agent.proposers.offline.source.dynamics import dynamics
from agent.proposers.offline.source.perception import Said, perception
from agent.proposers.offline.source.rendering import rendering
from tools.types import Programs


def programs(
    mechanism: Mechanism, notes: tuple[str, ...] | None = None, said: Said | None = None
) -> Programs:
    """Perception, dynamics and rendering. Numbers that nothing depends on become constants, so that
    the fit does not look for them; Refused with a reason where a mechanism cannot be printed.
    notes: comment lines at the foot of the dynamics program, None for the mechanism itself. said:
    what a person pointed out in the clip."""
    idle = dynamics(mechanism, notes, strict=False).idle
    mechanism = mechanism.fixing(idle) if idle else mechanism
    text = str(dynamics(mechanism, notes))
    return Programs(perception(mechanism, said), text, rendering(mechanism))
