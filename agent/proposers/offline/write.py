"""From what the inference found to three source files: its bodies and terms become joints and laws
of the grammar, which are printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.proposers.offline import mechanism as hypothesis
from agent.proposers.offline.grammar.couplings.belt import Belt
from agent.proposers.offline.grammar.couplings.crank import CrankRod, CrankSlider
from agent.proposers.offline.grammar.couplings.gear import Gear
from agent.proposers.offline.grammar.couplings.pulley import Pulley
from agent.proposers.offline.grammar.joint import Coupling, Joint
from agent.proposers.offline.grammar.joints.bead import Bead
from agent.proposers.offline.grammar.joints.free import Free
from agent.proposers.offline.grammar.joints.image import Image
from agent.proposers.offline.grammar.joints.prismatic import Prismatic
from agent.proposers.offline.grammar.joints.receding import Receding
from agent.proposers.offline.grammar.joints.rest import Rest
from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.joints.rolling import Rolling
from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.law import Law
from agent.proposers.offline.grammar.laws.action import Action
from agent.proposers.offline.grammar.laws.central_force import CentralForce
from agent.proposers.offline.grammar.laws.collision import Collision
from agent.proposers.offline.grammar.laws.constant_field import ConstantField
from agent.proposers.offline.grammar.laws.contact import Contact
from agent.proposers.offline.grammar.laws.dry_friction import DryFriction
from agent.proposers.offline.grammar.laws.gravity_torque import GravityTorque
from agent.proposers.offline.grammar.laws.joint_damping import JointDamping
from agent.proposers.offline.grammar.laws.joint_drive import JointDrive
from agent.proposers.offline.grammar.laws.joint_friction import JointFriction
from agent.proposers.offline.grammar.laws.joint_spring import JointSpring
from agent.proposers.offline.grammar.laws.linear_drag import LinearDrag
from agent.proposers.offline.grammar.laws.lorentz_force import LorentzForce
from agent.proposers.offline.grammar.laws.obstacle import Obstacle
from agent.proposers.offline.grammar.laws.pair_force import PairForce
from agent.proposers.offline.grammar.laws.pair_spring import PairSpring
from agent.proposers.offline.grammar.laws.periodic_force import PeriodicForce
from agent.proposers.offline.grammar.laws.polynomial import Polynomial
from agent.proposers.offline.grammar.laws.push import Push
from agent.proposers.offline.grammar.laws.quadratic_drag import QuadraticDrag
from agent.proposers.offline.grammar.laws.spring import Spring
from agent.proposers.offline.grammar.laws.stop import Stop
from agent.proposers.offline.grammar.laws.timed_drive import TimedDrive
from agent.proposers.offline.grammar.laws.timed_force import TimedForce
from agent.proposers.offline.grammar.laws.turning import Turning
from agent.proposers.offline.grammar.laws.turning_frame import TurningFrame
from agent.proposers.offline.grammar.laws.wall import Wall
from agent.proposers.offline.grammar.mechanism import Body, Link, Mechanism
from agent.proposers.offline.grammar.quantity import GrammarError, Number, Quantity
from agent.proposers.offline.grammar.registry import known
from agent.proposers.offline.grammar.shape import Shape
from agent.proposers.offline.grammar.shapes.box import Box
from agent.proposers.offline.mechanism import axis_of
from agent.proposers.offline.rails import coefficients
from agent.proposers.offline.source.perception import Said
from agent.proposers.offline.source.programs import programs
from tools.types import MAX_ABS, Programs

SUBSTEPS = 4
"""Substeps of a frame where there are impacts."""

FOLLOWING = 0.001
"""Mass of what only follows, relative to its leader's: what it adds to the inertia is counted with
that."""

TOLD = 0.3
"""Share by which a mass ratio or a restitution may be off that the velocities around an impact tell:
a forecast that begins at the impact has nothing else to go by."""

MASSES = (1e-4, 1e4)
"""Least and most of a body's mass for another's: what is driven hardly feels what strikes it."""

JOINTED, FLYING = ("prismatic", "revolute"), ("free", "receding")


def write(mechanism: hypothesis.Mechanism, pointed: Said | None = None) -> Programs:
    """Perception, dynamics and rendering. pointed: what a person pointed out. The hypothesis is noted at the foot of the dynamics, so
    that it can be edited again. GrammarError, with a reason, for what the grammar cannot say."""
    try:
        said = translated(mechanism)
    except KeyError as missing:
        raise GrammarError(
            f"numbers: expected {missing} among those of each body and term"
        ) from None
    return programs(said, (hypothesis.MARK + mechanism.dumps(),), pointed)


def translated(mechanism: hypothesis.Mechanism) -> Mechanism:
    """The same hypothesis in the grammar."""
    return _Translation(mechanism).result()


class _Translation:
    """One mechanism on its way. trees: body -> the bodies joined to it, root first."""

    def __init__(self, given: hypothesis.Mechanism):
        self.given = given
        self.trees = {b.name: t for t in _trees(given) for b in t}
        self.masses: dict[str, Quantity] = {}
        self.by_area: set[str] = set()
        self.laws: list[Law] = []

    def result(self) -> Mechanism:
        """The translated mechanism."""
        for term in self.given.terms:
            if term.kind not in hypothesis.COUPLINGS:
                self.laws += getattr(self, f"_{term.kind}")(term, dict(term.numbers))
        kinds = {term.kind for term in self.given.terms}
        return Mechanism(
            tuple(self._body(body) for body in self.given.bodies),
            tuple(self.laws),
            tuple(_coupling(t) for t in self.given.terms if t.kind in hypothesis.COUPLINGS),
            integrator=self.given.integrator,
            substeps=SUBSTEPS
            if kinds & {"wall", "collide", "obstacle"} and "contact" not in kinds
            else 1,
            drawing=self.given.drawing,
            order=self.given.order,
            light=self.given.light,
            plate=self.given.plate,
        )

    # ---------------------------------------------------------------------------------- bodies

    def _body(self, body: hypothesis.Body) -> Body:
        name, n = body.name, body.numbers
        mass = self.masses.get(name, 1.0)
        tree = self.trees.get(name, [])
        if len(tree) > 1 and body is not tree[0]:
            weight = n.get("mass", self._heavy(body).get("mass", 0.3))
            mass = _fitted(weight, prior=weight, low=0.001, high=20.0)
        if name in self.given.followers:
            mass = FOLLOWING
            if "mass" in self._heavy(body):
                mass = _fitted(self._heavy(body)["mass"], low=0.001, high=20.0)
        touching = any(t.kind == "contact" and name in t.bodies for t in self.given.terms)
        by_area = name in self.by_area or touching
        if "density" in n:
            mass = _fitted(n["density"], prior=1.0, low=0.02, high=50.0)
        made = Body(name, self._shape(body), self._joint(body, tree), mass, by_area)
        made = replace(made, rests=body.rests)
        made = replace(made, scalars=("radius",)) if body.swells else made
        if self.given.drawing != "film":
            made = replace(made, links=tuple(_link(*ends) for ends in body.links))
        if body.motion != "free" or "com_x" not in n:
            return made
        com_x, com_y = (_within(n[k], 3 * abs(n[k]) + 10) for k in ("com_x", "com_y"))
        return replace(made, com_x=com_x, com_y=com_y)

    def _shape(self, body: hypothesis.Body) -> Shape:
        kind, n = known("shapes")[body.shape], body.numbers
        looks: dict[str, Any] = {"near": body.near, "colour": body.colour}
        corners = sorted(int(key[1:]) for key in n if key[0] == "u" and key[1:].isdigit())
        if corners and body.shape in ("polygon", "sprite"):
            looks["corners"] = tuple((n[f"u{k}"], n[f"v{k}"]) for k in corners)
        if kind is Box and self.given.drawing == "whole pixels" and "width" in n:
            looks |= _sides(n, body.turns)
        return kind(**looks)

    def _joint(self, body: hypothesis.Body, tree: list[hypothesis.Body]) -> Joint:
        n = body.numbers
        if body.motion == "rest":
            return Rest(n.get("still_x", 0.0), n.get("still_y", 0.0))
        if body.motion == "weld":
            about = (n["about_x"], n["about_y"]) if "about_x" in n else None
            return Weld(body.on or "", about=about)
        if body.motion == "image":
            return Image(body.on or "")
        if "roll" in n:
            near = 0.2 * n["roll"]
            radius = _fitted(n["roll"], prior=near, low=0.5 * n["roll"], high=2.0 * n["roll"])
            lean = _within(n["lean"], 7.0)
            return Rolling(*_line(n), radius, lean, n["side"])
        if body.motion == "prismatic":
            return Prismatic(body.on, *_line(n))
        if body.motion == "revolute":
            return self._revolute(body, len(tree) == 1)
        if body.motion == "bead":
            return self._bead(body)
        if body.motion == "receding":
            y = _within(n["vanish_y"], 400.0, n["vanish_spread"])
            return Receding(vanish_x=round(n["vanish_x"], 3), vanish_y=y, size=round(n["size"], 4))
        return Free(body.turns)

    def _revolute(self, body: hypothesis.Body, alone: bool) -> Revolute:
        n, spread = body.numbers, body.numbers.get("spread", 2.0)
        length, across = math.hypot(n["centre_x"], n["centre_y"]), n["centre_y"]
        reach, prior = (200.0, max(spread, 0.5)) if alone else (60.0, min(max(spread, 0.3), 6.0))
        aside = abs(across) >= max(spread, 0.5) or length < 1.0
        ahead = 0.0 if n["centre_x"] > 0 else math.pi
        arm: Quantity = length
        if length >= 1.0:
            near = min(max(spread, 0.5), 6.0)
            arm = _fitted(length, prior=near, low=0.3 * length, high=3.0 * length)
        weights = {} if alone else self._weights(body, length)
        x: Quantity = _within(n["pivot_x"], reach, prior)
        y: Quantity = _within(n["pivot_y"], reach, prior)
        if (lead := self._hung_alike(body)) is not None:
            own, wide = lead.numbers, min(max(lead.numbers.get("spread", 2.0), 0.5), 6.0)
            length, high = math.hypot(own["centre_x"], own["centre_y"]), own["pivot_y"]
            y = _fitted(high, wide, high - reach, high + reach, tie="pivots_y")
            arm = _fitted(length, wide, 0.3 * length, 3.0 * length, tie="thread_length")
            x = round(n["pivot_x"], 3) if body is not lead else x  # it hangs straight down
        return Revolute(
            body.on,
            x,
            y,
            arm,
            bearing=math.atan2(across, n["centre_x"]) if aside else ahead,
            seen=body.turns,
            **weights,
        )

    def _hung_alike(self, body: hypothesis.Body) -> hypothesis.Body | None:
        """The body that swings as some hang that look like it, if a body is it or one of them: their
        threads are as long, and begin as high."""
        hung = [b for b in self.given.bodies if b.motion == "revolute" and b.on is None]
        like = [b for b in hung if "alike" in b.numbers]
        bobs = [b for b in hung if "alike" not in b.numbers and not b.turns]
        if not like or not bobs:
            return None
        lead = min(bobs, key=lambda b: abs(b.numbers["pivot_y"] - like[0].numbers["pivot_y"]))
        return lead if body is lead or body in like else None

    def _weights(self, body: hypothesis.Body, length: float) -> dict[str, Quantity]:
        """How the mass of a link of several is spread."""
        n, heavy, box = body.numbers, self._heavy(body), body.shape == "box"
        reach = heavy.get(f"reach@{body.name}", 1.0)
        gyration = heavy.get(f"gyration@{body.name}", n.get("gyration", length / math.sqrt(3)))
        spread: Quantity = gyration / length
        if not box or f"gyration@{body.name}" in heavy:
            spread = _fitted(gyration / length, prior=0.4, low=0.0, high=3.0)
        return {
            "reach": _fitted(reach, prior=0.1 if box else 0.4, low=0.3, high=2.5),
            "spread": spread,
        }

    def _heavy(self, body: hypothesis.Body) -> Mapping[str, float]:
        """Numbers of the gravity that acts on a body."""
        terms = (t for t in self.given.of("gravity") if body.name in t.bodies)
        return next((t.numbers for t in terms), {})

    def _bead(self, body: hypothesis.Body) -> Bead:
        n = body.numbers
        rail = next((t for t in self.given.of("rail") if body.name in t.bodies), None)
        first, *higher = coefficients(n, "lean") if body.turns else [0.0]
        return Bead(
            tuple(round(c, 2) for c in coefficients(n, "rail")),  # no line is measured more finely
            round(n["middle"], 2),
            round(n["half"], 2),
            round(n.get("foot", 0.0), 2),
            body.turns,
            _within(first, 1.0) if body.turns else 0.0,
            tuple(round(c, 4) for c in higher),
            round(n.get("gentle", -10.0), 3),
            round(n.get("steep", 10.0), 3),
            rail is not None and "bead" not in rail.numbers,
        )

    # ------------------------------------------------------------------------------------ laws

    def _alone(self, name: str) -> bool:
        """Whether a body hangs on one joint by itself, or runs on a track."""
        return len(self.trees.get(name, [])) <= 1 and self.given.body(name).motion != "free"

    def _moment(self, name: str) -> float:
        """Moment of inertia about its joint, at first guess; 1 where efforts are accelerations."""
        body = self.given.body(name)
        if self._alone(name) or body.motion != "revolute":
            return 1.0
        n = body.numbers
        length = math.hypot(n["centre_x"], n["centre_y"])
        mass = n.get("mass", self._heavy(body).get("mass", 0.3))
        gyration = n.get("gyration", length / math.sqrt(3))
        return max(mass * (length**2 + gyration**2), 1e-6)

    def _gravity(self, term: hypothesis.Term, n: dict) -> list[Law]:
        if "k" in n:
            level = CAMERA_TILT if self.given.drawing == "film" else DRAWN_TILT
            rest = _fitted(n["rest"], prior=level if "straight" in n else 0.3)
            return [GravityTorque(term.bodies, _fitted(n["k"]), rest)]
        y = None if "gy" not in n else _fitted(n["gy"], prior=n.get("prior"))
        return [ConstantField(term.bodies, _or_none(n, "gx"), y)]

    def _push(self, term: hypothesis.Term, n: dict) -> list[Law]:
        if "a" in n:
            return [JointDrive((b,), push=_fitted(n["a"] / self._moment(b))) for b in term.bodies]
        return [Push((b,), _or_none(n, "ax"), _or_none(n, "ay")) for b in term.bodies]

    def _action(self, term: hypothesis.Term, n: dict) -> list[Law]:
        jointed = [b for b in term.bodies if self.given.body(b).motion not in FLYING]
        gain = n.get("a", n.get("ax", 0.0))
        laws: list[Law] = [JointDrive((b,), gain=_fitted(gain / self._moment(b))) for b in jointed]
        free = [b for b in term.bodies if b not in jointed]
        return laws + [Action((b,), _or_none(n, "ax"), _or_none(n, "ay")) for b in free]

    def _damping(self, term: hypothesis.Term, n: dict) -> list[Law]:
        found: list[Law] = []
        for name in term.bodies:
            moment, alone = self._moment(name), self._alone(name)
            high = max(20 * n["c"], 5.0) if alone else max(50 * abs(n["c"]), 1e3) / moment
            c = _fitted(max(n["c"], 0.0) / moment, low=0.0, high=high)
            found.append(JointDamping((name,), c))
        return found

    def _joint_spring(self, term: hypothesis.Term, n: dict) -> list[Law]:
        return [
            JointSpring(
                (b,), _fitted(n["k"] / self._moment(b)), _fitted(self._coordinate(b, n["rest"]))
            )
            for b in term.bodies
        ]

    def _coordinate(self, name: str, value: float) -> float:
        """A coordinate of a body on a joint as its program counts it: on a line, the inference
        counts from the point of the line that it is given by."""
        body = self.given.body(name)
        if body.motion != "prismatic" or "roll" in body.numbers:
            return value
        at, axis = _line(body.numbers)
        zero = Prismatic(body.on, at, axis).origin
        return value + (at[0] - zero[0]) * axis[0] + (at[1] - zero[1]) * axis[1]

    def _rail(self, term: hypothesis.Term, n: dict) -> list[Law]:
        field = _fitted(n["g"], low=0.0, high=10 * abs(n["g"]) + 10)
        return [ConstantField(term.bodies, None, field)]

    def _drag(self, term: hypothesis.Term, n: dict) -> list[Law]:
        on_track = [b for b in term.bodies if self.given.body(b).motion == "bead"]
        free = [b for b in term.bodies if b not in on_track]
        slows = _fitted(n["c"], prior=n.get("prior"))
        laws: list[Law] = [LinearDrag(tuple(free), slows)] if free else []
        return laws + [JointDamping((b,), _fitted(n["c"])) for b in on_track]

    def _quadratic_drag(self, term: hypothesis.Term, n: dict) -> list[Law]:
        return [QuadraticDrag(term.bodies, _fitted(n["c"], prior=n.get("prior")))]

    def _friction(self, term: hypothesis.Term, n: dict) -> list[Law]:
        turning = [b for b in term.bodies if self.given.body(b).motion == "revolute"]
        sliding = tuple(b for b in term.bodies if b not in turning)
        rubs: list[Law] = [JointFriction((b,), _fitted(n["c"])) for b in turning]
        return [*rubs, DryFriction(sliding, _fitted(n["c"]))] if sliding else rubs

    def _lorentz_force(self, term: hypothesis.Term, n: dict) -> list[Law]:
        return [LorentzForce((b,), _fitted(n["c"])) for b in term.bodies]

    def _spring(self, term: hypothesis.Term, n: dict) -> list[Law]:
        reach = n.get("span", 200.0) + 250.0
        anchor = [_within(n[k], reach) if k in n else None for k in ("x0", "y0")]
        return [Spring((b,), _fitted(n["k"]), *anchor) for b in term.bodies]

    def _attraction(self, term: hypothesis.Term, n: dict) -> list[Law]:
        centre = (_within(n["x0"], 400.0), _within(n["y0"], 400.0))
        k, length = _scaled(n["k"]), _or_none(n, "length")
        slack = "slack" in n
        return [
            CentralForce((b,), k, float(n["power"]), *centre, length, slack) for b in term.bodies
        ]

    def _frame(self, term: hypothesis.Term, n: dict) -> list[Law]:
        centre = (_within(n["x0"], 400.0), _within(n["y0"], 400.0))
        return [TurningFrame((b,), _fitted(n["rate"]), *centre) for b in term.bodies]

    def _drive(self, term: hypothesis.Term, n: dict) -> list[Law]:
        size = (_or_none(n, "ax"), _or_none(n, "ay"))
        rate = _fitted(n["rate"], low=0.5 * n["rate"], high=2.0 * n["rate"])
        return [PeriodicForce((b,), *size, rate, _fitted(n["phase"])) for b in term.bodies]

    def _switched(self, term: hypothesis.Term, n: dict) -> list[Law]:
        later = "begins" in n
        at, edge = _within(n["begins" if later else "ends"], 1.0), n["edge"]
        if "a" in n:
            efforts = {b: _fitted(n["a"] / self._moment(b)) for b in term.bodies}
            return [TimedDrive((b,), effort, at, later, edge) for b, effort in efforts.items()]
        size = (_or_none(n, "ax"), _or_none(n, "ay"))
        return [TimedForce((b,), *size, at, later, edge) for b in term.bodies]

    def _pair_force(self, term: hypothesis.Term, n: dict) -> list[Law]:
        if "length" not in n and len(term.bodies) > 2:
            for body in term.bodies[1:]:
                self.masses[body] = _fitted(n[f"mass@{body}"], low=0.001, high=1000.0)
            return [PairForce(term.bodies, _scaled(n["k"]), float(n["power"]), by_mass=True)]
        _, second = term.bodies
        ratio = n.get("ratio", 1.0)
        self.masses.setdefault(second, _fitted(1.0 / ratio, None, *MASSES))
        if "length" in n:
            length: Quantity = round(n["length"], 2)  # on one line the anchors say it as well
            length = length if "on_a_line" in n else _fitted(n["length"])
            return [PairSpring(term.bodies, _scaled(n["k"]), length)]
        return [PairForce(term.bodies, _scaled(n["k"]), float(n["power"]))]

    def _turning(self, term: hypothesis.Term, n: dict) -> list[Law]:
        return [Turning((b,), _or_none(n, "a"), _or_none(n, "c")) for b in term.bodies]

    def _swelling(self, term: hypothesis.Term, n: dict) -> list[Law]:
        laws: list[Law] = []
        for radius in (f"{body}.radius" for body in term.bodies):
            if "a" in n:
                laws.append(Push((radius,), _fitted(n["a"])))
            if "c" in n:
                reach = 10 * abs(n["c"]) + 1.0
                laws.append(LinearDrag((radius,), _fitted(n["c"], None, -reach, reach)))
        return laws

    def _wall(self, term: hypothesis.Term, n: dict) -> list[Law]:
        normal = math.hypot(n["nx"], n["ny"])
        contact = self.given.of("contact")
        rubbing = [t.numbers["friction"] for t in self.given.of("wall") if "friction" in t.numbers]
        friction = None
        if "friction" in n and not contact:
            friction = _fitted(rubbing[0], tie="friction_contact")
        return [
            Wall(
                self._touching() if contact else term.bodies,
                (n["nx"] / normal, n["ny"] / normal),
                _within(n["offset"], 60.0, 1.0 if "drawn" in n else 8.0),
                self._restitution(),
                friction,
            )
        ]

    def _obstacle(self, term: hypothesis.Term, n: dict) -> list[Law]:
        corners = sorted(int(key[1:]) for key in n if key[0] == "x")
        outline = tuple((n[f"x{k}"], n[f"y{k}"]) for k in corners)
        margin = _fitted(n["margin"], prior=1.0, tie="margin_obstacle")
        on = self._touching() if self.given.of("contact") else term.bodies
        return [Obstacle(on, outline, n["radius"], self._restitution(), margin)]

    def _restitution(self) -> Number:
        """Of all that stands: walls and obstacles have one."""
        contact = self.given.of("contact")
        first = [*self.given.of("wall"), *self.given.of("obstacle")][0].numbers
        bounce = contact[0].numbers["e_wall"] if contact else first.get("e", 0.9)
        high, prior = 1.0 if contact else 1.2, first.get("e_spread", 0.3)
        return _fitted(bounce, prior=prior, tie="restitution", low=0.0, high=high)

    def _stop(self, term: hypothesis.Term, n: dict) -> list[Law]:
        given = _fitted(n["e"], prior=0.3)
        (body,) = term.bodies
        spread = (60.0, 8.0) if self.given.body(body).motion == "prismatic" else (1.0, 0.1)
        place = _within(self._coordinate(body, n["place"]), *spread)
        return [Stop(term.bodies, n["side"], place, given)]

    def _touching(self) -> tuple[str, ...]:
        """Bodies that the engine moves: it knows no others."""
        contact = next(iter(self.given.of("contact")))
        return tuple(
            b.name for b in self.given.bodies if b.motion == "free" or b.name in contact.bodies
        )

    def _collide(self, term: hypothesis.Term, n: dict) -> list[Law]:
        if self.given.of("contact"):
            return []  # the engine lets everything collide
        first, second = term.bodies
        pulling = {b for t in self.given.of("pair_force") for b in t.bodies}  # masses are theirs
        if n.get("by_size", 0.0) and not pulling & set(term.bodies):
            self.by_area |= set(term.bodies)
        else:
            ratio = n.get("ratio", 1.0)
            roughly = n.get("ratio_sigma", TOLD * ratio if "measured" in n else None)
            mass = _fitted(ratio, roughly, *MASSES)
            alike = "alike" in self.given.body(second).numbers  # one of several of a kind
            self.masses.setdefault(second, 1.0 if alike and "measured" not in n else mass)
        e = self.given.of("collide")[0].numbers
        roughly = e.get("e_sigma", TOLD if "measured" in e else None)
        given = _fitted(e.get("e", 0.95), prior=roughly, tie="restitution_disks")
        rest = None
        if "rest_speed" in n:
            speed = n["rest_speed"]
            rest = _fitted(speed, prior=0.2 * speed, low=0.0, high=4 * speed, tie="rest_speed")
        margin = None
        if self.given.drawing == "film" or n.get("margin") == 0.0:
            margin = _fitted(n.get("margin", 0.0), prior=2.0, low=-10.0, high=10.0, tie="margin")
        elif "margin" in n:
            margin = _within(n["margin"], 10.0, prior=2.0)
        elif "snug" in n:
            margin = _fitted(n["snug"], prior=0.2, low=-10.0, high=10.0, tie="margin_at_rest")
        return [Collision((first, second), given, rest, margin)]

    def _contact(self, term: hypothesis.Term, n: dict) -> list[Law]:
        return [
            Contact(self._touching(), _fitted(n["e"], prior=0.3), _fitted(n["friction"], prior=0.5))
        ]

    def _curve(self, term: hypothesis.Term, n: dict) -> list[Law]:
        def products(axis: str) -> tuple[tuple[str, Quantity], ...]:
            keys = [key for key in n if key.startswith(f"{axis}:")]
            return tuple((key.partition(":")[2], _fitted(n[key])) for key in keys)

        middle = (n["x0"], n["y0"])
        return [
            Polynomial(
                term.bodies[:1], middle, n["scale"], n["rate"], products("ax"), products("ay")
            )
        ]


def _coupling(term: hypothesis.Term) -> Coupling:
    """A coupling of the grammar."""
    (follower, leader), n = term.bodies, term.numbers
    if term.kind == "pulley":
        return Pulley(follower, leader)
    if term.kind == "gear":
        return Gear(follower, leader, _fitted(-n["ratio"], 0.05 * abs(n["ratio"])))
    if term.kind == "belt":
        return Belt(follower, leader, _fitted(n["ratio"], 0.05 * abs(n["ratio"])))
    throw = _fitted(n["throw"], 0.05 * n["throw"], tie=f"{leader}_throw")
    rod = _fitted(n["rod"], 0.2 * n["rod"], tie=f"{leader}_rod")
    if term.kind == "connecting_rod":
        return CrankRod(follower, leader, throw, rod, n["heading"], 0.0, n["side"], n["turn"])
    base = _within(n["base"], 60.0, 5.0)
    return CrankSlider(follower, leader, throw, rod, n["heading"], base, 0.0, n["side"])


CAMERA_TILT, DRAWN_TILT = 0.03, 0.005
"""Radians by which what hangs straight down may seem to hang askew: a camera on a stand is level to
two degrees; in a drawing down is down, give or take what its outline tells."""


def _link(first: float | str, second: float, end: float) -> Link:
    if isinstance(first, str):
        return Link(end, to=first, start=second)
    return Link(end, first, second)


def _line(n: Mapping[str, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """A point of a line and its direction, with the digits that pixels can tell."""
    dx, dy = axis_of(n)
    return (round(n["at_x"], 3), round(n["at_y"], 3)), (round(dx, 6), round(dy, 6))


def _trees(given: hypothesis.Mechanism) -> list[list[hypothesis.Body]]:
    """Bodies on joints, root first, and whatever hangs on each."""
    jointed = [b for b in given.bodies if b.motion in JOINTED]
    names = {b.name for b in jointed}
    found = []
    for root in (b for b in jointed if b.on not in names):
        tree = [root]
        for body in tree:
            tree += [b for b in jointed if b.on == body.name]
        found.append(tree)
    return found


def _sides(n: Mapping[str, float], turns: bool) -> dict[str, Any]:
    """Sides and still pose of a box that is drawn on whole pixels."""
    still = tuple(n.get(f"still_{a}", 0.0) for a in ("x", "y", "angle"))
    if not turns:  # its sides are as long in every frame, so the grid does not cut them
        return {
            "width": round(n["width"]) - 1.0,
            "height": round(n["height"]) - 1.0,
            "still": still,
        }
    sides = {}
    for key, reach, prior in (("width", 12.0, 4.0), ("height", 8.0, 1.0)):
        value = n[key] - 1.0
        sides[key] = _fitted(value, prior, max(value - reach, 0.1), value + reach)
    return {**sides, "still": still}


def _fitted(
    value: float,
    prior: float | None = None,
    low: float | None = None,
    high: float | None = None,
    tie: str = "",
) -> Number:
    """A number to fit; guess and bounds within those that programs may declare."""
    low, high = (None if b is None else min(max(b, -MAX_ABS), MAX_ABS) for b in (low, high))
    least, most = (-MAX_ABS if low is None else low), (MAX_ABS if high is None else high)
    return Number(min(max(value, least), most), prior, low, high, tie)


def _within(value: float, reach: float, prior: float | None = None) -> Number:
    return _fitted(value, prior, value - reach, value + reach)


def _scaled(value: float) -> Number:
    """A strength of either sign."""
    return _fitted(value, low=-20 * abs(value), high=20 * abs(value))


def _or_none(n: Mapping[str, float], key: str) -> Number | None:
    return _fitted(n[key]) if key in n else None
