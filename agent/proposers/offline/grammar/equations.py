"""Equations of motion of any mechanism, computed: (J' M J) q'' = J' F - J' M bias.

J, the derivative of every pose by every free coordinate, comes from complex steps (Squire, Trapp
1998, "Using complex variables to estimate derivatives of real functions"), the bias from central
differences of J q'. Nothing here is shared with what programs call (``tools.physics.tree``) or with
the printer's algebra: this is the oracle that they are tested against. Plain floats, no batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.loads import Loads, loads_on
from agent.proposers.offline.grammar.mechanism import Item, Mechanism
from agent.proposers.offline.grammar.seeing import Numeric, Pose, Sight

_STEP = 1e-30
"""Length of a complex step: no difference is taken, so none is lost."""

_CENTRAL = ((1.0, 8.0 / 12.0), (-1.0, -8.0 / 12.0), (2.0, -1.0 / 12.0), (-2.0, 1.0 / 12.0))
"""Central differences of fourth order: (place, weight)."""

_GROUND: Pose = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Poses:
    """Of every item: centre of mass, where mass counts for inertia, drawn centre, and the joint's
    coordinate against its host."""

    heavy: dict[str, Pose]
    inert: dict[str, Pose]
    drawn: dict[str, Pose]
    relative: dict[str, Any]


class Equations:
    """A mechanism with the values of its parameters. state: fixed columns that it may need (radii),
    and where relative couplings stand.

    free: (item, position of the coordinate) of every coordinate that is left, in order."""

    def __init__(
        self,
        mechanism: Mechanism,
        values: Mapping[str, float],
        state: Mapping,
        without: frozenset[str] = frozenset(),
    ):
        self.mechanism, self.state = mechanism, state
        resolved = mechanism.resolved(values)
        count = 3 * len(mechanism.bodies)
        self.numbers = {
            body.name: SimpleNamespace(**(vars(resolved[3 * k]) | vars(resolved[3 * k + 1])))
            for k, body in enumerate(mechanism.bodies)
        }
        self.couplings = dict(enumerate(resolved[count : count + len(mechanism.couplings)]))
        self.laws = dict(enumerate(resolved[count + len(mechanism.couplings) :]))
        self.items = {k: i for k, i in mechanism.items.items() if k not in without and _moves(i)}
        followers = {coupling.follower for coupling in mechanism.couplings}
        self.free = [
            (key, k)
            for key, item in self.items.items()
            if key not in followers
            for k in range(len(item.joint.coordinates()))
        ]
        self.see = Numeric()

    def mass(self, item: Item) -> float:
        """Relative mass; 1 for a scalar."""
        if item.scalar or item.body is None:
            return 1.0
        own = self.numbers[item.key].mass
        return own * self.state[item.object]["radius"] ** 2 if item.body.by_area else own

    def inertia(self, item: Item) -> float:
        """About the centre of mass."""
        if item.scalar or item.body is None:
            return 0.0
        return self.mass(item) * item.joint.radius_of_gyration(self.numbers[item.key]) ** 2

    # ------------------------------------------------------------------------------------------------- kinematics

    def coordinates(self, q: Any) -> dict[str, list[Any]]:
        """Every item's coordinates, those of followers too, from the free ones."""
        found: dict[str, list[Any]] = {key: [] for key in self.items}
        for (key, _), value in zip(self.free, q, strict=True):
            found[key].append(value)
        for position, coupling in enumerate(self.mechanism.couplings):
            n = self.couplings[position]
            value = coupling.follow(n, found[coupling.leader][0], self.see)
            if coupling.relative:
                own, lead = (self._stands(name) for name in (coupling.follower, coupling.leader))
                value = own + value - coupling.follow(n, lead, self.see)
            found[coupling.follower] = [value]
        return found

    def _stands(self, name: str) -> float:
        return self.state[name][self.items[name].joint.coordinates()[0]]

    def poses(self, q: Any) -> Poses:
        """Where everything is; q may be complex, or an array for each coordinate."""
        coordinates, found = self.coordinates(q), Poses({}, {}, {}, {})
        for key in self.items:
            self._place(key, coordinates, found)
        return found

    def _place(self, key: str, coordinates: Mapping[str, Any], found: Poses) -> None:
        if key in found.drawn:
            return
        item = self.items[key]
        on = None if item.scalar else item.joint.on
        if on is not None:
            self._place(on, coordinates, found)
        host = _GROUND if on is None else found.drawn[on]
        own, n = tuple(coordinates[key]), self.numbers.get(item.key, SimpleNamespace())
        found.drawn[key] = item.joint.pose(n, host, own, self.see)
        found.heavy[key] = (
            found.drawn[key] if item.scalar else item.joint.heavy(n, host, own, self.see)
        )
        found.inert[key] = (
            found.drawn[key] if item.scalar else item.joint.inert(n, host, own, self.see)
        )
        found.relative[key] = _relative(item, own, host)

    def derivatives(self, q: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """{"heavy", "inert" or "relative": {item: (entries, free coordinates)}}: derivatives of
        ``Poses`` by the free coordinates."""
        steps = [q[k] + 1j * _STEP * (np.arange(len(q)) == k) for k in range(len(q))]
        return _slopes(self.poses(steps), len(q))

    def rates(self, q: np.ndarray, v: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """{"heavy", "inert" or "relative": {item: (entries, 1)}}: how fast ``Poses`` change."""
        return _slopes(self.poses([a + 1j * _STEP * b for a, b in zip(q, v, strict=True)]), 1)

    def bias(self, q: np.ndarray, v: np.ndarray) -> dict[str, np.ndarray]:
        """{item: acceleration of its pose (where mass counts) while no coordinate accelerates}."""
        e = 1e-3 / max(1.0, float(np.abs(v).max(initial=0.0)) / 20.0)
        parts: list[tuple[float, dict[str, np.ndarray]]] = [
            (w, self.rates(q + k * e * v, v)["inert"]) for k, w in _CENTRAL
        ]
        return {k: np.sum([w * part[k][:, 0] for w, part in parts], axis=0) / e for k in self.items}

    # --------------------------------------------------------------------------------------------------- dynamics

    def sights(self, q: np.ndarray, v: np.ndarray) -> dict[str, Sight]:
        """What laws see."""
        poses, rates = self.poses(list(q)), self.rates(q, v)
        found = {}
        for key, item in self.items.items():
            place = [float(part) for part in poses.heavy[key]]
            seen = Sight(*place, *rates["heavy"][key][:, 0])
            joint = {"s": float(poses.relative[key]), "rate": float(rates["relative"][key][0, 0])}
            found[key] = replace(seen, **joint, mass=self.mass(item))
        return found

    def loads(self, sights: Mapping[str, Sight], time: float, action: float) -> Loads:
        """What the laws do."""
        see = replace(self.see, time=time, action=action)
        return loads_on(self.mechanism, self.laws, sights, lambda law, keys: see)

    def matrix(self, inert: dict[str, np.ndarray]) -> np.ndarray:
        """J' M J. inert: derivatives of where mass counts."""
        parts = [
            inert[key].T @ np.diag([self.mass(i)] * 2 + [self.inertia(i)]) @ inert[key]
            for key, i in self.items.items()
        ]
        return np.sum(parts, axis=0)

    def accelerations(self, q: np.ndarray, v: np.ndarray, time: float, action: float) -> np.ndarray:
        """q''."""
        if not len(q):
            return np.zeros(0)
        loads = self.loads(self.sights(q, v), time, action)
        slopes, bias = self.derivatives(q), self.bias(q, v)
        heavy, inert, relative = (slopes[what] for what in ("heavy", "inert", "relative"))
        force = np.zeros(len(q))
        for key, item in self.items.items():
            weight = np.diag([self.mass(item)] * 2 + [self.inertia(item)])
            kick = np.array(loads.kicks.get(key, (0.0, 0.0, 0.0)), float)
            force += heavy[key].T @ weight @ kick - inert[key].T @ weight @ bias[key]
            if key in loads.efforts:
                force += loads.efforts[key] * self._own_inertia(key, q) * relative[key][0]
        return np.linalg.solve(self.matrix(inert), force)

    def _own_inertia(self, key: str, q: np.ndarray) -> float:
        """Of an item about its joint: by its own coordinate while its host is held fast."""
        item, coordinates = self.items[key], self.coordinates(list(q))
        host = (
            _GROUND
            if item.scalar or item.joint.on is None
            else self.poses(list(q)).drawn[item.joint.on]
        )
        own = (coordinates[key][0] + 1j * _STEP,)
        n = self.numbers.get(item.key, SimpleNamespace())
        place = item.joint.pose if item.scalar else item.joint.inert
        x, y, turn = (_rows(place(n, host, own, self.see), 1).imag / _STEP)[:, 0]
        return self.mass(item) * (x * x + y * y) + self.inertia(item) * turn * turn


def _moves(item: Item) -> bool:
    """Whether an item has a place in the dynamics."""
    return not (isinstance(item.joint, Weld) and not item.joint.known)


def _relative(item: Item, own: tuple, host: Pose) -> Any:
    """The coordinate of a joint that leaves one, against its host."""
    if len(own) != 1:
        return 0.0
    return own[0] - host[2] if item.joint.turning else own[0]


def _slopes(poses: Poses, count: int) -> dict[str, dict[str, np.ndarray]]:
    """Imaginary parts of poses after a complex step, per step."""
    found = {
        "heavy": poses.heavy,
        "inert": poses.inert,
        "drawn": poses.drawn,
        "relative": poses.relative,
    }
    return {
        what: {key: _rows(entry, count).imag / _STEP for key, entry in part.items()}
        for what, part in found.items()
    }


def _rows(entries: Any, count: int) -> np.ndarray:
    """Entries (numbers or arrays of ``count``) as rows of a complex array."""
    listed = entries if isinstance(entries, tuple) else (entries,)
    return np.array([np.broadcast_to(np.asarray(e, complex), (count,)) for e in listed])
