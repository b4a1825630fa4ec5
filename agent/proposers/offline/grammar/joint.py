"""Joints and couplings: what is left free. A new one is a file in ``joints/`` or ``couplings/``
with a class that has a ``word``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from agent.proposers.offline.grammar.owner import Owner
from agent.proposers.offline.grammar.seeing import Curve, Pose, Seeing, turned

RATES = {"x": "vx", "y": "vy", "angle": "spin", "s": "v"}


def rate_of(coordinate: str) -> str:
    """Name of a coordinate's rate in the state.

    >>> rate_of("angle"), rate_of("radius")
    ('spin', 'd_radius')
    """
    return RATES.get(coordinate, f"d_{coordinate}")


@dataclass(frozen=True)
class Joint(Owner):
    """How a body hangs on the picture or on another one. ``on`` (a field of those that can hang):
    the host's name, None for the picture."""

    folder: ClassVar[str] = "joints"
    on: ClassVar[str | None] = None
    turning: ClassVar[bool] = False
    """Whether its coordinate is the body's own angle in the picture."""

    @property
    def spins(self) -> bool:
        """Whether a torque moves it."""
        return "angle" in self.coordinates()

    balanced: ClassVar[bool] = False
    """Whether it says itself where the centre of mass is."""

    def subject(self) -> str:
        """What carries it; parameters of joints begin with the body's name."""
        return self.on or ""

    def coordinates(self) -> tuple[str, ...]:
        """What it leaves free: attributes of the body's state."""
        raise NotImplementedError

    def placed(self) -> tuple[str, ...]:
        """Attributes of the pose that follow from the coordinates."""
        return ()

    def shows(self) -> tuple[str, ...]:
        """Attributes of the pose that perception reports; the rest is constant."""
        return self.coordinates()

    def pose(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        """The drawn centre and the angle. host: the same of what carries it. Elementwise."""
        raise NotImplementedError

    def figure(self, pose: Pose, q: tuple) -> dict[str, Any]:
        """Values of ``placed``, from the pose and the coordinates."""
        shown = dict(zip(("x", "y", "angle"), pose, strict=True))
        return {attribute: shown[attribute] for attribute in self.placed()}

    def girth(self, radius: Any) -> Any:
        """How far it reaches where walls stop it. radius: of the body in its state, px."""
        return radius

    def heavy(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        """The centre of mass and the angle. n: its own quantities and the body's ``com_x``,
        ``com_y``."""
        x, y, angle = self.pose(n, host, q, see)
        ox, oy = turned(see, (n.com_x, n.com_y), angle)
        return x + ox, y + oy, angle

    def inert(self, n: Any, host: Pose, q: tuple, see: Seeing) -> Pose:
        """Where mass counts for inertia: the centre of mass, but for joints that say otherwise."""
        return self.heavy(n, host, q, see)

    def radius_of_gyration(self, n: Any) -> Any:
        """About the centre of mass, px. n: also the body's ``gyration``."""
        return n.gyration

    def link(self, n: Any) -> dict[str, Any] | None:
        """Keywords of ``tools.physics.tree.Link`` beside name, mass and inertia; None for one that
        a printer derives from ``pose``."""
        return None

    def start(self, name: str, n: Any, curve: Callable[[Curve, str], str]) -> tuple[str, str]:
        """(function of tools.physics, call that gives coordinates and rates) at the first frame,
        from ``states`` and ``dt``. curve: name of the function of a curve, for a wish."""
        listed = ", ".join(f'"{c}"' for c in self.coordinates())
        comma = "," if len(self.coordinates()) == 1 else ""
        return "start_of", f'start_of(states, "{name}", ({listed}{comma}), dt)'


@dataclass(frozen=True)
class Coupling(Owner):
    """A coordinate that follows another: the follower's joint has no freedom of its own.

    follower, leader: names of bodies whose joints have one coordinate each. relative: only changes
    follow (the state holds how far the two are apart); else the follower's coordinate is the
    function's value."""

    folder: ClassVar[str] = "couplings"
    relative: ClassVar[bool] = True
    follower: str
    leader: str

    def subject(self) -> str:
        """The two."""
        return f"{self.follower}_{self.leader}"

    def words(self) -> dict[str, str]:
        """ "{follower}" and "{leader}"."""
        return {"follower": self.follower, "leader": self.leader}

    def objection(self, follower: Joint, leader: Joint) -> str | None:
        """Why it cannot join these, None if it can."""
        return None

    def follow(self, n: Any, lead: Any, see: Seeing) -> Any:
        """The follower's coordinate for one of the leader."""
        raise NotImplementedError
