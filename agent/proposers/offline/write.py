"""From a mechanism to three ordinary source files that a person can read and edit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from agent.proposers.offline.mechanism import MARK, Body, Mechanism, Term
from agent.proposers.offline.rails import coefficients
from tools.types import MAX_ABS, Programs

UPRIGHT = 0.01
"""Radians by which a picture may be tilted against gravity where nothing speaks for more."""

SUBSTEPS = 4
"""Substeps of a frame when there are contacts: keeps the fold-back at a contact small."""


def write(mechanism: Mechanism) -> Programs:
    """Perception, dynamics and rendering for a mechanism."""
    return Programs(
        write_perception(mechanism), write_dynamics(mechanism), write_rendering(mechanism)
    )


def _number(value: float) -> str:
    """A short literal: 6 significant digits, always with a point or exponent.

    >>> _number(1234.56789), _number(3.0), _number(-0.0)
    ('1234.57', '3.0', '0.0')
    """
    text = f"{value + 0.0:.6g}"
    return text if any(c in text for c in ".en") else text + ".0"


def _pair(values: Sequence[float]) -> str:
    return "(" + ", ".join(_number(v) for v in values) + ")"


def spread(values: Sequence[str]) -> str:
    """Names as a tuple literal."""
    return "(" + ", ".join(f'"{v}"' for v in values) + ("," if len(values) == 1 else "") + ")"


# --------------------------------------------------------------------------------------------------


def measured(body: Body, mechanism: Mechanism) -> tuple[str, ...]:
    """Attributes of a body that perception reports; the rest of its pose is constant and goes into
    the scene."""
    if body.motion in ("rests", "rides"):
        return ()
    attributes = ("x", "y")
    if body.motion == "slides" and abs(body.numbers["axis_y"]) < 0.02:
        attributes = ("x",)
    elif body.motion == "slides" and abs(body.numbers["axis_x"]) < 0.02:
        attributes = ("y",)
    contact = _acts(mechanism, "contact", body.name) is not None
    if (body.turns and body.motion != "slides") or (contact and body.shape != "disk"):
        attributes += ("angle",)
    if contact and body.shape == "box":
        return (*attributes, "width", "height")
    if needs_radius(body, mechanism):
        attributes += ("radius",)
    return attributes


def gridded(mechanism: Mechanism) -> list[Body]:
    """Moving boxes whose corners are taken to lie on whole pixels."""
    if mechanism.drawing != "whole pixels":
        return []
    return [b for b in mechanism.bodies if b.shape == "box" and b.motion not in ("rests", "rides")]


def needs_radius(body: Body, mechanism: Mechanism) -> bool:
    """Whether the dynamics asks how large the body is."""
    return any(
        body.name in term.bodies
        for term in mechanism.terms
        if term.kind in ("wall", "collide", "contact")
    )


def _ordered(mechanism: Mechanism) -> list[Body]:
    """Bodies from back to front."""
    if not mechanism.order:
        return list(mechanism.bodies)
    return [mechanism.body(name) for name in mechanism.order]


def _varies(order: Sequence[Body], mechanism: Mechanism) -> list[str]:
    """Source of the table of what perception measures."""
    return [
        "# What varies from frame to frame; the rest of each pose is constant and becomes part of "
        "the scene.",
        "VARIES = {",
        *[
            f'    "{body.name}": {spread(measured(body, mechanism))},'
            for body in order
            if measured(body, mechanism)
        ],
        "}",
    ]


def write_perception(mechanism: Mechanism) -> str:
    """The perception program: declared parts, followed by analysis by synthesis."""
    if mechanism.drawing == "film":
        return _film_perception(mechanism)
    order = _ordered(mechanism)
    lines = [
        '"""Perception: where the parts of the picture are, frame by frame.',
        "",
        *[f"- {body.name}: {_looks(body)}" for body in order],
        '"""',
        "",
        "from tools.perception.parts import Part",
        "",
        "PARTS = (",
        *[f"    Part({', '.join(_part(body))})," for body in order],
        ")",
        "",
        *_varies(order, mechanism),
    ]
    riders = [body for body in order if body.motion == "rides"]
    if riders:
        lines += [
            "",
            "# Parts that are fixed to another part.",
            "RIDES = {",
            *[f'    "{b.name}": "{b.on}",' for b in riders],
            "}",
        ]
    grid = [body.name for body in gridded(mechanism)]
    if grid:
        lines += [
            "",
            "# Boxes whose corners are drawn on whole pixels.",
            f"ON_GRID = {spread(grid)}",
        ]
    lines += [
        "",
        "",
        "def perceive(frames, tools):",
        "    plate = tools.background(frames)"
        if mechanism.plate is None
        else f"    plate = tools.plain(frames, {tuple(round(c) for c in mechanism.plate)})",
        "    tracks = tools.track(frames, PARTS, plate)",
        *(["    drawn = tools.on_grid(frames, tracks, ON_GRID)"] if grid else []),
        f"    states = tools.states_of(tracks, VARIES{', drawn.corners' if grid else ''})",
        *(
            [f"    states = tools.with_light(states, tracks, {spread(mechanism.gains)})"]
            if mechanism.gains
            else []
        ),
        "    scene = tools.scene_of(tracks, "
        f"VARIES{', RIDES' if riders else ''}{', mattes=drawn.mattes' if grid else ''})",
        "    return states, scene",
        "",
    ]
    return "\n".join(lines)


def _film_perception(mechanism: Mechanism) -> str:
    """The perception program for camera pictures: bodies are what moves together."""
    order = _ordered(mechanism)
    starts = {b.name: f"({round(b.near[0])}, {round(b.near[1])})" for b in order if b.near}
    lines = [
        '"""Perception: the moving bodies of a camera picture, each with one picture of its own.',
        "",
        *[f"- {body.name}" for body in order],
        '"""',
        "",
        "# Where each body is first seen, in pixels.",
        "BODIES = {",
        *[f'    "{body.name}": {starts.get(body.name)},' for body in order],
        "}",
        "",
        *_varies(order, mechanism),
        "",
        "",
        "def perceive(frames, tools):",
        "    tracks = tools.moving_bodies(frames, BODIES)",
        "    states = tools.states_of(tracks, VARIES)",
        "    scene = tools.scene_of(tracks, VARIES)",
        "    return states, scene",
        "",
    ]
    return "\n".join(lines)


def _looks(body: Body) -> str:
    colour = "" if body.colour is None else f" of colour {tuple(round(c) for c in body.colour)}"
    return {
        "disk": "a disk",
        "box": "a box",
        "polygon": "a flat shape",
        "sprite": "a patterned piece",
    }[body.shape] + colour


def _part(body: Body) -> list[str]:
    words = [f'"{body.name}"', f'"{body.shape}"']
    if body.shape != "sprite":
        words.append("(" + ", ".join(str(round(c)) for c in body.colour) + ")")
    if body.near is not None:
        words.append(f"near=({round(body.near[0])}, {round(body.near[1])})")
    return words


# --------------------------------------------------------------------------------------------------


class Dynamics:
    """Collects the pieces of a dynamics program while the terms are visited."""

    def __init__(self, mechanism: Mechanism):
        self.mechanism = mechanism
        self.tag = (
            ""  # distinguishes functions and parameters when several mechanisms share a program
        )
        self.params: list[str] = []
        self.latents: list[str] = []
        self.imports: set[str] = set()
        self.constants: list[str] = []
        self.functions: list[str] = []
        self.initial: list[str] = []
        self.step: list[str] = []
        self.elementwise = (
            True  # written with xp alone, so that arrays and derivatives pass through
        )

    def param(
        self,
        name: str,
        value: float,
        low: float,
        high: float,
        unit: str,
        about: str,
        prior: float | None = None,
    ) -> str:
        """Declare a parameter and return the expression that reads it. Values and bounds are kept
        within what the contract allows."""
        low, high = (min(max(bound, -MAX_ABS), MAX_ABS) for bound in (low, high))
        apart = 1e-4 * max(abs(low), abs(high), 1e-6)  # as far as literals tell bounds apart
        if high - low < apart:
            low, high = max(low - apart, -MAX_ABS), min(high + apart, MAX_ABS)
        value = min(max(value, low), high)
        extra = "" if prior is None else f", prior={_number(prior)}"
        line = (
            f'    Param("{name}", {_number(value)}, low={_number(low)}, high={_number(high)}, '
            f'unit="{unit}"{extra}, about="{about}"),'
        )
        if not any(existing.split(",")[0] == line.split(",")[0] for existing in self.params):
            self.params.append(line)
        return f'params["{name}"]'

    def source(self) -> str:
        """The whole file."""
        mechanism = self.mechanism
        about = [
            '"""Dynamics: how the state moves on from frame to frame.',
            "",
            *[f"- {s}" for s in mechanism.sentences()],
            "",
            f"Integrated by {mechanism.integrator.replace('_', ' ')}.",
            '"""',
            "",
        ]
        if gridded(mechanism):
            self.imports.add("corners_of")
        imports = (
            [f"from tools.physics import {', '.join(sorted(self.imports))}"] if self.imports else []
        )
        params = ["PARAMS = (", *self.params, ")"] if self.params else ["PARAMS = ()"]
        latents = [f"LATENTS = {spread(self.latents)}", f"DIFFERENTIABLE = {self.elementwise}"]
        blocks = [
            *about,
            *imports,
            "from tools.types import Param",
            "",
            *params,
            *latents,
            *self.constants,
        ]
        for function in self.functions:
            blocks += ["", "", *function.splitlines()]
        outcome = "{}"
        if gridded(mechanism):
            blocks += ["", "", *_cornered(self).splitlines()]
            outcome = "cornered({}, params)"
        params_at = next(k for k, block in enumerate(blocks) if block.startswith("PARAMS"))
        blocks[params_at : params_at + len(params)] = (
            ["PARAMS = (", *self.params, ")"] if self.params else ["PARAMS = ()"]
        )
        blocks += [
            "",
            "",
            "def initial(states, params, dt):",
            "    state = {}",
            *self.initial,
            f"    return {outcome.format('state')}",
        ]
        blocks += [
            "",
            "",
            "def step(state, params, action, dt):",
            "    new = dict(state)",
            *self.step,
            f"    return {outcome.format('new')}",
            "",
            "",
            MARK + mechanism.dumps(),
            "",
        ]
        return "\n".join(blocks)


def _cornered(out: Dynamics) -> str:
    """Source of the function that adds the corners of boxes drawn on the pixel grid."""
    lines = [
        "def cornered(state, params):",
        '    """Corners of the boxes, as they are before the drawing rounds them to whole '
        'pixels."""',
        "    state = dict(state)",
    ]
    for body in gridded(out.mechanism):
        name, n = body.name, body.numbers
        if not body.turns:  # its sides are as long in every frame, so the grid does not cut them
            width, height = (_number(round(n[key]) - 1.0) for key in ("width", "height"))
        else:
            width = out.param(
                f"{name}_width",
                n["width"] - 1.0,
                max(n["width"] - 13.0, 0.1),
                n["width"] + 11.0,
                "px",
                f"length of {name} between its corners",
                prior=4.0,
            )
            height = out.param(
                f"{name}_height",
                n["height"] - 1.0,
                max(n["height"] - 9.0, 0.1),
                n["height"] + 7.0,
                "px",
                f"width of {name} between its corners",
                prior=1.0,
            )
        pose = [
            f'b["{a}"]' if a in measured(body, out.mechanism) else _number(n.get(f"still_{a}", 0.0))
            for a in ("x", "y", "angle")
        ]
        lines += [
            f'    b = state["{name}"]',
            f'    state["{name}"] = {{**b, **corners_of({", ".join(pose)}, {width}, {height})}}',
        ]
    return "\n".join([*lines, "    return state"])


def write_dynamics(mechanism: Mechanism) -> str:
    """The dynamics program."""
    out = Dynamics(mechanism)
    free = [b for b in mechanism.bodies if b.motion == "free"]
    jointed = [b for b in mechanism.bodies if b.motion in ("slides", "hinges")]
    roots = [
        b
        for b in jointed
        if b.on is None or mechanism.body(b.on).motion not in ("slides", "hinges")
    ]
    for root in roots:
        tree = _tree(root, jointed)
        out.tag = f"_{root.name}" if len(roots) + bool(free) > 1 else ""
        if len(tree) == 1 and root.motion == "hinges":
            _pendulum(out, root)
        else:
            _linkage(out, tree)
    for body in [b for b in mechanism.bodies if b.motion == "follows"]:
        out.tag = f"_{body.name}" if len(mechanism.bodies) > 1 else ""
        _rail(out, body)
    if mechanism.gains:
        _light(out)
    if free:
        (_engine if mechanism.of("contact") else _free)(out, free)
    return out.source()


def _tree(root: Body, jointed: Sequence[Body]) -> list[Body]:
    """Root first, then whatever hangs on it, parents before children."""
    tree = [root]
    for body in tree:
        tree += [b for b in jointed if b.on == body.name]
    return tree


def _signed(terms: Sequence[str]) -> str:
    """Join signed summands: ``a``, ``- b`` -> ``a - b``; nothing -> ``0.0 * ...`` is never needed
    by callers."""
    text = " ".join(t if t.startswith("- ") else f"+ {t}" for t in terms) or "0.0"
    return (
        text[2:] if text.startswith("+ ") else ("-" + text[2:] if text.startswith("- ") else text)
    )


def _acts(mechanism: Mechanism, kind: str, name: str) -> Term | None:
    return next((term for term in mechanism.of(kind) if name in term.bodies), None)


def _suffix(mechanism: Mechanism, kind: str, name: str) -> str:
    """Parameters that several bodies have one each carry the body's name."""
    return f"_{name}" if len(mechanism.of(kind)) > 1 else ""


def _free(out: Dynamics, bodies: Sequence[Body]) -> None:
    """Bodies that move on their own: shared or own forces, walls, collisions, turning."""
    mechanism = out.mechanism
    names = [b.name for b in bodies]
    symbols = [str(k + 1) if len(bodies) > 1 else "" for k in range(len(bodies))]
    lines = []
    unpack_q = ", ".join(f"x{s}, y{s}" for s in symbols)
    unpack_v = ", ".join(f"vx{s}, vy{s}" for s in symbols)
    results = []
    for body, s in zip(bodies, symbols, strict=True):
        ax, ay, extra = _forces(out, body, s, dict(zip(names, symbols, strict=True)))
        lines += extra
        lines += [f"    ax{s} = {_signed(ax)}", f"    ay{s} = {_signed(ay)}"]
        results += [f"ax{s}", f"ay{s}"]
    forced = any(not line.strip().endswith("= 0.0") for line in lines)
    contacts = [
        t for t in mechanism.terms if t.kind in ("wall", "collide") and set(t.bodies) & set(names)
    ]
    steady = forced and all(
        t.kind in ("gravity", "push", "action", "wall", "collide", "turning")
        for t in mechanism.terms
        if set(t.bodies) & set(names)
    )
    if steady:
        out.step += [line for line in lines if not line.endswith("= 0.0")]
    elif forced:
        doc = (
            f'    """Accelerations in px/s^2 of {" and ".join(names)} at places q and speeds v: (x'
            "'', y'') each" + '."""'
        )
        out.functions.append(
            "\n".join(
                [
                    "def accelerate(q, v, params, action):",
                    doc,
                    f"    {unpack_q} = q",
                    f"    {unpack_v} = v",
                    *lines,
                    f"    return ({', '.join(results)})",
                ]
            )
        )
        out.imports.add(mechanism.integrator)
    _free_initial(out, bodies)
    pulls = (
        [
            tuple(
                line.split(" = ")[1] != "0.0"
                for line in lines
                if line.strip().startswith((f"ax{s} =", f"ay{s} ="))
            )
            for s in symbols
        ]
        if steady
        else None
    )
    _free_step(out, bodies, symbols, forced and not steady, contacts, pulls)


def _rail(out: Dynamics, body: Body) -> None:
    """A body on a curved track: its x says all; the track gives height and slope."""
    m, n, name, tag = out.mechanism, body.numbers, body.name, out.tag
    out.imports.update((m.integrator, "start_of", "xp"))
    u = f"(x - {_number(n['middle'])}) / {_number(n['half'])}"
    out.constants += [
        f"TRACK{tag.upper()} = ({', '.join(map(_number, coefficients(n, 'rail')))})  # height in "
        f"px: coefficients of u^0, u^1, ..., u = {u}"
    ]
    out.functions.append(
        "\n".join(
            [
                f"def track{tag}(x):",
                '    """Height (px), slope and bend (1/px) of the track at x; beyond what was '
                'seen of it, it bends on as it did there."""',
                f"    u = {u}",
                "    inside = xp.clip(u, -1.0, 1.0)",
                "    y, slope, bend = 0.0 * u, 0.0 * u, 0.0 * u",
                f"    for c in reversed(TRACK{tag.upper()}):",
                "        bend, slope, y = bend * inside + 2.0 * slope, slope * inside + y, y * "
                "inside + c",
                "    beyond = u - inside",
                "    return y + (slope + 0.5 * bend * beyond) * beyond, (slope + bend * beyond) "
                f"/ {_number(n['half'])}, bend / {_number(n['half'])} ** 2",
            ]
        )
    )
    term = _acts(m, "rail", name)
    g = out.param(
        f"gravity{tag}",
        term.numbers["g"],
        0.0,
        10 * abs(term.numbers["g"]) + 10.0,
        "px/s^2",
        "pull down the slope of the track",
    )
    pull = [
        f"({g} * slope - slope * bend * v * v) / (1.0 + slope * slope)"
        if "bead" in term.numbers
        else f"{g} * slope"
    ]
    if drag := _acts(m, "drag", name):
        pull.append(
            "- "
            f"{out.param(f'drag{tag}', drag.numbers['c'], 0.0, max(20 * drag.numbers['c'], 10.0), '1/s', f'linear drag on {name}')} "
            "* v"
        )
    if action := _acts(m, "action", name):
        pull.append(
            f"{out.param(f'gain{tag}', action.numbers['ax'], *_around(action.numbers['ax']), 'px/s^2', f'acceleration of {name} per unit of action')} "
            "* action"
        )
    out.functions.append(
        "\n".join(
            [
                f"def accelerate{tag}(q, v, params, action):",
                '    """Acceleration of x in px/s^2."""',
                f"    (x,), (v,) = q, v\n    _, slope, bend = track{tag}(x)",
                f"    return ({_signed(pull)},)",
            ]
        )
    )
    angle, more, foot = "", [], n.get("foot")
    if body.turns:
        first, *higher = coefficients(n, "lean")
        angle = (
            ', "angle": xp.arctan(slope) + '
            f"{out.param(f'{name}_lean', first, first - 1.0, first + 1.0, 'rad', f'how {name} leans against the track')}"
        )
        if higher:
            more = [f"    seen = xp.clip(slope, {_number(n['gentle'])}, {_number(n['steep'])})"]
            angle += " + seen * (" + " + seen * (".join(map(_number, higher)) + ")" * len(higher)
    across = ""
    if foot is not None:
        out.constants.append(
            f"FOOT{tag.upper()} = {_number(foot)}  # px from the track to the centre of {name}, "
            "across the track"
        )
        out.functions.append(
            "\n".join(
                [
                    f"def foot{tag}(x):",
                    f'    """Where {name} touches the track when its centre is at x, and how far '
                    'the centre goes for each px that this goes."""',
                    "    at = x",
                    "    for _ in range(4):",
                    f"        _, slope, _ = track{tag}(at)",
                    f"        at = x - FOOT{tag.upper()} * slope / xp.sqrt(1.0 + slope * slope)",
                    f"    _, slope, bend = track{tag}(at)",
                    f"    return at, 1.0 + FOOT{tag.upper()} * bend / (1.0 + slope * slope) ** 1.5",
                ]
            )
        )
        across = f" - FOOT{tag.upper()} / xp.sqrt(1.0 + slope * slope)"
    at = 'body["x"]' if foot is None else f'foot{tag}(body["x"])[0]'
    out.functions.append(
        "\n".join(
            [
                f"def place{tag}(body, params):",
                '    """Height and angle that go with x."""',
                f"    y, slope, _ = track{tag}({at})",
                *more,
                f'    return {{**body, "y": y{across}{angle}}}',
            ]
        )
    )
    out.initial.append(
        f'    state["{name}"] = place{tag}(start_of(states, "{name}", ("x",), dt), params)'
    )
    moved = (
        f"{m.integrator}(({{}},), ({{}},), lambda q, v: accelerate{tag}(q, v, params, action), dt)"
    )
    if foot is None:
        out.step += [
            f'    b = state["{name}"]',
            f"    (x,), (vx,) = {moved}".format('b["x"]', 'b["vx"]'),
        ]
    else:
        out.step += [
            f'    b = state["{name}"]',
            f'    at, stretch = foot{tag}(b["x"])',
            f"    (at,), (v,) = {moved}".format("at", 'b["vx"] / stretch'),
            f"    _, slope, _ = track{tag}(at)",
            f"    x = at + FOOT{tag.upper()} * slope / xp.sqrt(1.0 + slope * slope)",
            f"    vx = v * foot{tag}(x)[1]",
        ]
    out.step.append(f'    new["{name}"] = place{tag}({{**b, "x": x, "vx": vx}}, params)')
    out.latents += [f"{name}.x", f"{name}.vx"]


def _light(out: Dynamics) -> None:
    """A light that goes up or down at a constant rate."""
    gains = out.mechanism.gains
    out.imports.add("start_of")
    out.initial.append(f'    state["light"] = start_of(states, "light", {spread(gains)}, dt)')
    faded = ", ".join(f'"{gain}": light["{gain}"] + dt * light["d_{gain}"]' for gain in gains)
    out.step += ['    light = state["light"]', f'    new["light"] = {{**light, {faded}}}']
    out.latents += [f"light.{prefix}{gain}" for gain in gains for prefix in ("", "d_")]


def _engine(out: Dynamics, bodies: Sequence[Body]) -> None:
    """Bodies that collide, rub and rest on each other: a rigid-body engine moves them all."""
    m, out.elementwise = out.mechanism, False
    out.imports.update(("Ground", "Solid", "tumble", "start_of", "typical"))
    out.constants += ["SOLIDS = (", *[f"    {_solid(body)}," for body in bodies], ")"]
    grounds = [
        f"Ground({_pair((w.numbers['nx'], w.numbers['ny']))}, {_wall_offset(out, w.numbers)})"
        for w in m.of("wall")
    ]
    out.functions.append(
        "\n".join(
            [
                "def grounds(params):",
                '    """Walls and floors that nothing passes."""',
                f"    return ({''.join(g + ', ' for g in grounds).rstrip()})",
            ]
        )
    )
    term = m.of("contact")[0].numbers
    e = out.param(
        "restitution",
        term["e_wall"],
        0.0,
        1.0,
        "1",
        "share of the closing speed that a bounce off a wall or floor gives back",
    )
    between = out.param(
        "restitution_bodies",
        term["e"],
        0.0,
        1.0,
        "1",
        "share of the closing speed that two bodies give back",
        prior=0.3,
    )
    rub = out.param(
        "friction",
        term["friction"],
        0.0,
        3.0,
        "1",
        "Coulomb friction wherever bodies touch",
        prior=0.5,
    )
    field = ["0.0", "0.0"]
    if gravity := m.of("gravity"):
        for k, (key, name, words) in enumerate(
            (
                ("gx", "field_x", "constant acceleration to the right"),
                ("gy", "gravity", "constant acceleration downwards"),
            )
        ):
            if key in gravity[0].numbers:
                field[k] = out.param(
                    name,
                    gravity[0].numbers[key],
                    *_around(gravity[0].numbers[key]),
                    "px/s^2",
                    words,
                )
    for body in bodies:
        turning = ', "angle"' if body.turns else ""
        out.initial.append(
            f'    state["{body.name}"] = start_of(states, "{body.name}", ("x", "y"{turning}), dt)'
        )
        still = [
            a
            for a in measured(body, m)
            if a not in ("x", "y") and not (a == "angle" and body.turns)
        ]
        out.initial += [
            f'    state["{body.name}"]["{a}"] = typical(states.column("{body.name}.{a}"))'
            for a in still
        ]
        out.initial += [
            f'    state["{body.name}"].setdefault("{a}", 0.0)'
            for a in ("angle", "spin")
            if not body.turns
        ]
        out.latents += [
            f"{body.name}.{a}"
            for a in ("x", "y", "vx", "vy") + (("angle", "spin") if body.turns else ())
        ]
    out.step.append(
        f"    new.update(tumble(state, SOLIDS, grounds(params), ({field[0]}, {field[1]}), ({e}, "
        f"{between}), {rub}, dt))"
    )


def _solid(body: Body) -> str:
    corners = sorted(
        (int(key[1:]), key[0]) for key in body.numbers if key[0] in "uv" and key[1:].isdigit()
    )
    if not corners:
        return f'Solid("{body.name}")'
    points = ", ".join(
        _pair((body.numbers[f"u{k}"], body.numbers[f"v{k}"]))
        for k in sorted({k for k, _ in corners})
    )
    return f'Solid("{body.name}", outline=({points}))'


def _forces(
    out: Dynamics, body: Body, s: str, symbols: dict[str, str]
) -> tuple[list[str], list[str], list[str]]:
    """Summands of x'' and y'' and lines that must come before."""
    m, name, ax, ay, lines = out.mechanism, body.name, [], [], []
    if term := _acts(m, "gravity", name):
        if "gx" in term.numbers:
            ax.append(
                out.param(
                    "field_x",
                    term.numbers["gx"],
                    *_around(term.numbers["gx"]),
                    "px/s^2",
                    "constant acceleration to the right",
                )
            )
        if "gy" in term.numbers:
            ay.append(
                out.param(
                    "gravity",
                    term.numbers["gy"],
                    *_around(term.numbers["gy"]),
                    "px/s^2",
                    "constant acceleration downwards",
                )
            )
    if term := _acts(m, "push", name):
        end = _suffix(m, "push", name)
        if "ax" in term.numbers:
            ax.append(
                out.param(
                    f"push_x{end}",
                    term.numbers["ax"],
                    *_around(term.numbers["ax"]),
                    "px/s^2",
                    f"constant push on {name} to the right",
                )
            )
        if "ay" in term.numbers:
            ay.append(
                out.param(
                    f"push_y{end}",
                    term.numbers["ay"],
                    *_around(term.numbers["ay"]),
                    "px/s^2",
                    f"constant push on {name} downwards",
                )
            )
    if term := _acts(m, "drag", name):
        c = out.param(
            f"drag{_suffix(m, 'drag', name)}",
            term.numbers["c"],
            0.0,
            max(20 * term.numbers["c"], 10.0),
            "1/s",
            f"linear drag on {name}",
        )
        ax.append(f"- {c} * vx{s}")
        ay.append(f"- {c} * vy{s}")
    if term := _acts(m, "quadratic_drag", name):
        c = out.param(
            f"quadratic_drag{_suffix(m, 'quadratic_drag', name)}",
            term.numbers["c"],
            0.0,
            max(20 * term.numbers["c"], 0.02),
            "1/px",
            f"quadratic drag on {name}",
        )
        out.imports.add("xp")
        lines.append(f"    speed{s} = xp.sqrt(vx{s} * vx{s} + vy{s} * vy{s} + 1e-12)")
        ax.append(f"- {c} * speed{s} * vx{s}")
        ay.append(f"- {c} * speed{s} * vy{s}")
    if term := _acts(m, "friction", name):
        c = out.param(
            f"friction{_suffix(m, 'friction', name)}",
            term.numbers["c"],
            0.0,
            max(10 * term.numbers["c"], 100.0),
            "px/s^2",
            f"deceleration of {name} by dry friction",
        )
        out.imports.add("xp")
        lines.append(
            f"    rub{s} = xp.sqrt(vx{s} * vx{s} + vy{s} * vy{s} + 4.0)  # 2 px/s: where rubbing "
            "gives way to rest"
        )
        ax.append(f"- {c} * vx{s} / rub{s}")
        ay.append(f"- {c} * vy{s} / rub{s}")
    if term := _acts(m, "swerve", name):
        c = out.param(
            f"swerve{_suffix(m, 'swerve', name)}",
            term.numbers["c"],
            *_around(term.numbers["c"]),
            "1/s",
            f"rate at which a force across its velocity turns {name}, anticlockwise",
        )
        ax.append(f"{c} * vy{s}")
        ay.append(f"- {c} * vx{s}")
    if term := _acts(m, "spring", name):
        _spring(out, term, name, s, ax, ay)
    if term := _acts(m, "attraction", name):
        _attraction(out, term, name, s, ax, ay, lines)
    for term in m.of("mutual"):
        if name in term.bodies:
            _mutual(out, term, name, symbols, ax, ay, lines)
    if term := _acts(m, "action", name):
        for axis, summands in (("ax", ax), ("ay", ay)):
            if axis in term.numbers:
                gain = out.param(
                    f"gain_{axis[1]}{_suffix(m, 'action', name)}",
                    term.numbers[axis],
                    *_around(term.numbers[axis]),
                    "px/s^2",
                    f"acceleration of {name} per unit of action",
                )
                summands.append(f"{gain} * action")
    if term := _acts(m, "curve", name):
        _curve(out, term, s, ax, ay, lines)
    return ax, ay, lines


def _around(value: float) -> tuple[float, float]:
    """Generous bounds around a first guess, on both sides of zero."""
    reach = max(10 * abs(value), 100.0)
    return -reach, reach


def _spring(out: Dynamics, term: Term, name: str, s: str, ax: list[str], ay: list[str]) -> None:
    end = _suffix(out.mechanism, "spring", name)
    n = term.numbers
    k = out.param(
        f"stiffness{end}",
        n["k"],
        0.0,
        max(20 * n["k"], 10.0),
        "1/s^2",
        f"pull per pixel and mass of the spring on {name}",
    )
    reach = 0.2 * n.get("span", 200.0) + 50.0
    if "x0" in n:
        x0 = out.param(
            f"anchor_x{end}",
            n["x0"],
            n["x0"] - 5 * reach,
            n["x0"] + 5 * reach,
            "px",
            f"where the spring pulls {name} to",
        )
        ax.append(f"- {k} * (x{s} - {x0})")
    if "y0" in n:
        y0 = out.param(
            f"anchor_y{end}",
            n["y0"],
            n["y0"] - 5 * reach,
            n["y0"] + 5 * reach,
            "px",
            f"where the spring pulls {name} to",
        )
        ay.append(f"- {k} * (y{s} - {y0})")


def _attraction(
    out: Dynamics, term: Term, name: str, s: str, ax: list[str], ay: list[str], lines: list[str]
) -> None:
    end, n = _suffix(out.mechanism, "attraction", name), term.numbers
    cx = out.param(
        "centre_x", n["x0"], n["x0"] - 400, n["x0"] + 400, "px", "centre of the attraction"
    )
    cy = out.param(
        "centre_y", n["y0"], n["y0"] - 400, n["y0"] + 400, "px", "centre of the attraction"
    )
    k = out.param(
        f"attraction{end}",
        n["k"],
        -20 * abs(n["k"]),
        20 * abs(n["k"]),
        f"px^{1 - round(n['power'])}/s^2",
        f"strength; falls off as distance^{n['power']:g}",
    )
    out.imports.add("xp")
    lines += [
        f"    dx{s}, dy{s} = x{s} - {cx}, y{s} - {cy}",
        f"    pull{s} = {k} * (dx{s} * dx{s} + dy{s} * dy{s} + 1e-6) ** "
        f"{_number((n['power'] - 1) / 2)}",
    ]
    ax.append(f"- pull{s} * dx{s}")
    ay.append(f"- pull{s} * dy{s}")


def _mutual(
    out: Dynamics,
    term: Term,
    name: str,
    symbols: dict[str, str],
    ax: list[str],
    ay: list[str],
    lines: list[str],
) -> None:
    first, second = term.bodies
    other = second if name == first else first
    s, o, n = symbols[name], symbols[other], term.numbers
    k = out.param(
        f"pull_{first}_{second}",
        n["k"],
        -20 * abs(n["k"]),
        20 * abs(n["k"]),
        "1/s^2" if "length" in n else f"px^{1 - round(n['power'])}/s^2",
        f"acceleration of {first} towards {second}"
        + (" per pixel of stretch" if "length" in n else f", times distance^{-n['power']:g}"),
    )
    if "length" in n:
        rest = out.param(
            f"length_{first}_{second}",
            n["length"],
            0.0,
            4 * n["length"] + 10,
            "px",
            "distance at which they leave each other alone",
        )
        factor = f"{k} * (1.0 - {rest} / far{s})"
    else:
        factor = f"{k} * far{s} ** {_number(n['power'] - 1)}"
    ratio = "1.0"
    if name == second:
        ratio = out.param(
            f"mass_{first}_to_{second}",
            n.get("ratio", 1.0),
            0.02,
            50.0,
            "1",
            f"mass of {first} relative to {second}",
        )
    out.imports.add("xp")
    lines += [
        f"    dx{s}, dy{s} = x{s} - x{o}, y{s} - y{o}",
        f"    far{s} = xp.sqrt(dx{s} * dx{s} + dy{s} * dy{s} + 1e-9)",
    ]
    factor += "" if ratio == "1.0" else f" * {ratio}"
    ax.append(f"- {factor} * dx{s}")
    ay.append(f"- {factor} * dy{s}")


def _curve(
    out: Dynamics, term: Term, s: str, ax: list[str], ay: list[str], lines: list[str]
) -> None:
    """Sparse regression: a sum of products of place and speed with fitted coefficients."""
    n, name = term.numbers, term.bodies[0]
    end = _suffix(out.mechanism, "curve", name)
    lines.append(
        f"    # {name}: place from the middle of its path in half spans (u, w), velocity in "
        "typical speeds (p, q)"
    )
    lines += [
        f"    u{s}, w{s} = (x{s} - {_number(n['x0'])}) / {_number(n['scale'])}, (y{s} - "
        f"{_number(n['y0'])}) / {_number(n['scale'])}",
        f"    p{s}, q{s} = vx{s} / {_number(n['rate'])}, vy{s} / {_number(n['rate'])}",
    ]
    for key, value in n.items():
        if key.startswith(("ax:", "ay:")):
            axis, _, product = key.partition(":")
            c = out.param(
                f"{axis}_{product.replace('*', '')}{end}",
                value,
                *_around(value),
                "px/s^2",
                f"coefficient of {product} in {axis[1]}''",
            )
            factors = [f"{factor}{s}" for factor in product.split("*") if factor != "1"]
            (ax if axis == "ax" else ay).append(" * ".join([c, *factors]))


def _free_initial(out: Dynamics, bodies: Sequence[Body]) -> None:
    out.imports.add("start_of")
    for body in bodies:
        turning = ("angle",) if body.turns else ()
        radius = needs_radius(body, out.mechanism)
        out.initial.append(
            f'    state["{body.name}"] = start_of(states, "{body.name}", ("x", '
            f'"y"{", " + chr(34) + "angle" + chr(34) if turning else ""}), dt)'
        )
        if radius:
            out.initial.append(
                f'    state["{body.name}"]["radius"] = typical(states.column("{body.name}.radius"))'
            )
            out.imports.add("typical")
        out.latents += [f"{body.name}.{a}" for a in ("x", "y", "vx", "vy")]
        if turning:
            out.latents += [f"{body.name}.angle", f"{body.name}.spin"]


def _flight(s: str, h: str, pulls: tuple[bool, bool]) -> str:
    """One body under constant acceleration for ``h`` seconds, exactly; pulls: whether there is any
    along x and y."""
    moved = []
    for axis, pulled in zip(("x", "y"), pulls, strict=True):
        gain = f" + 0.5 * {h} * {h} * a{axis}{s}" if pulled else ""
        moved.append(f'"{axis}": b{s}["{axis}"] + {h} * b{s}["v{axis}"]{gain}')
        if pulled:
            moved.append(f'"v{axis}": b{s}["v{axis}"] + {h} * a{axis}{s}')
    return f"b{s} = {{**b{s}, {', '.join(moved)}}}"


def _free_step(
    out: Dynamics,
    bodies: Sequence[Body],
    symbols: Sequence[str],
    forced: bool,
    contacts: Sequence[Term],
    pulls: Sequence[tuple[bool, bool]] | None,
) -> None:
    lines = []
    names = [b.name for b in bodies]
    for body, s in zip(bodies, symbols, strict=True):
        lines.append(
            f"    b{s} = "
            + (
                f'shifted(state["{body.name}"], {_balance(out, body)}, 1.0)'
                if "com_x" in body.numbers
                else f'state["{body.name}"]'
            )
        )
    if any("com_x" in body.numbers for body in bodies):
        out.imports.add("turned")
        out.functions.append(_SHIFTED)
    indent = "    "
    h = "dt"
    if contacts:
        lines += [f"    h = dt / {SUBSTEPS}", f"    for _ in range({SUBSTEPS}):"]
        indent, h = "        ", "h"
    if forced:
        q = ", ".join(f'b{s}["x"], b{s}["y"]' for s in symbols)
        v = ", ".join(f'b{s}["vx"], b{s}["vy"]' for s in symbols)
        lines += [
            f"{indent}q = ({q})",
            f"{indent}v = ({v})",
            f"{indent}q, v = {out.mechanism.integrator}(q, v, lambda q, v: accelerate(q, v, "
            f"params, action), {h})",
        ]
        walled = {name for term in contacts if term.kind == "wall" for name in term.bodies}
        for k, (body, s) in enumerate(zip(bodies, symbols, strict=True)):
            if body.name in walled:
                lines.append(
                    f'{indent}pull{s} = ((v[{2 * k}] - b{s}["vx"]) / {h}, (v[{2 * k + 1}] - '
                    f'b{s}["vy"]) / {h})'
                )
            lines.append(
                f'{indent}b{s} = {{**b{s}, "x": q[{2 * k}], "y": q[{2 * k + 1}], "vx": '
                f'v[{2 * k}], "vy": v[{2 * k + 1}]}}'
            )
    else:
        for k, s in enumerate(symbols):
            lines.append(indent + _flight(s, h, pulls[k] if pulls else (False, False)))
    for term in contacts:
        lines += [
            indent + line
            for line in _contact(
                out,
                term,
                dict(zip(names, symbols, strict=True)),
                {s: _pull(k, s, forced, pulls) for k, s in enumerate(symbols)},
            )
        ]
    for body, s in zip(bodies, symbols, strict=True):
        if body.turns:
            lines += _turning(out, body, s)
        lines.append(
            f'    new["{body.name}"] = '
            + (
                f"shifted(b{s}, {_balance(out, body)}, -1.0)"
                if "com_x" in body.numbers
                else f"b{s}"
            )
        )
    out.step += lines


_SHIFTED = '''def shifted(body, centre, sign):
    """The body with x, y moved from its drawn centre to its centre of mass (sign 1.0), or back (-1.0)."""
    ox, oy = turned(centre, body["angle"])
    return {**body, "x": body["x"] + sign * ox, "y": body["y"] + sign * oy}'''


def _balance(out: Dynamics, body: Body) -> str:
    """Expression of a body's centre of mass in its own frame."""
    parts = [
        out.param(
            f"{body.name}_mass_{axis}",
            body.numbers[f"com_{axis}"],
            -3 * abs(body.numbers[f"com_{axis}"]) - 10,
            3 * abs(body.numbers[f"com_{axis}"]) + 10,
            "px",
            f"centre of mass of {body.name} seen from its drawn centre, in its own frame",
        )
        for axis in ("x", "y")
    ]
    return f"({parts[0]}, {parts[1]})"


def _turning(out: Dynamics, body: Body, s: str) -> list[str]:
    term = _acts(out.mechanism, "turning", body.name)
    end = _suffix(out.mechanism, "turning", body.name)
    if term is None:
        return [f'    b{s} = {{**b{s}, "angle": b{s}["angle"] + dt * b{s}["spin"]}}']
    pieces = []
    if "a" in term.numbers:
        pieces.append(
            out.param(
                f"torque{end}",
                term.numbers["a"],
                *_around(term.numbers["a"]),
                "rad/s^2",
                f"constant angular acceleration of {body.name}",
            )
        )
    if "c" in term.numbers:
        c = out.param(
            f"spin_drag{end}",
            term.numbers["c"],
            0.0,
            max(20 * term.numbers["c"], 10.0),
            "1/s",
            f"drag on the turning of {body.name}",
        )
        pieces.append(f'- {c} * b{s}["spin"]')
    return [
        f"    turn = {_signed(pieces)}",
        f'    b{s} = {{**b{s}, "angle": b{s}["angle"] + dt * b{s}["spin"] + 0.5 * dt * dt * turn, '
        f'"spin": b{s}["spin"] + dt * turn}}',
    ]


def _pull(k: int, s: str, forced: bool, pulls: Sequence[tuple[bool, bool]] | None) -> str:
    """Expression of a body's acceleration during the step, "" for none."""
    if forced:
        return f"pull{s}"
    if pulls is None or not any(pulls[k]):
        return ""
    return (
        "("
        + ", ".join(
            f"{axis}{s}" if pulled else "0.0"
            for axis, pulled in zip(("ax", "ay"), pulls[k], strict=True)
        )
        + ")"
    )


def _contact(
    out: Dynamics, term: Term, symbols: dict[str, str], pulls: Mapping[str, str]
) -> list[str]:
    if term.kind == "wall":
        return _wall(out, term, symbols, pulls)
    first, second = term.bodies
    a, b = symbols[first], symbols[second]
    out.imports.add("collide_disks")
    e = out.param(
        "restitution_disks",
        term.numbers.get("e", 0.95),
        0.0,
        1.0,
        "1",
        "share of the closing speed that a collision gives back",
        prior=term.numbers.get("e_sigma"),
    )
    if term.numbers.get("by_size", 0.0):
        ratio = f'(b{b}["radius"] / b{a}["radius"]) ** 2'
    else:
        ratio = out.param(
            f"mass_{second}_to_{first}",
            term.numbers.get("ratio", 1.0),
            0.02,
            50.0,
            "1",
            f"mass of {second} relative to {first}",
        )
    rest = ""
    if "rest_speed" in term.numbers:
        speed = term.numbers["rest_speed"]
        rest = ", " + out.param(
            "rest_speed",
            speed,
            0.0,
            4 * speed,
            "px/s",
            "closing speed up to which a collision gives nothing back",
            prior=0.2 * speed,
        )
    return [
        f'b{a}, b{b} = collide_disks(b{a}, b{b}, b{a}["radius"] + b{b}["radius"], {ratio}, '
        f"{e}{rest})"
    ]


def _wall_offset(out: Dynamics, n: Mapping[str, float]) -> str:
    """The parameter that says where a wall stands."""
    word = {(0, -1): "floor", (0, 1): "ceiling", (1, 0): "left_wall", (-1, 0): "right_wall"}.get(
        (round(n["nx"], 1), round(n["ny"], 1)),
        f"wall_{round(math.degrees(math.atan2(n['ny'], n['nx'])) % 360)}",
    )
    return out.param(
        f"{word}_offset",
        n["offset"],
        n["offset"] - 60.0,
        n["offset"] + 60.0,
        "px",
        f"place of the {word.replace('_', ' ')} along its normal {_pair((n['nx'], n['ny']))}",
        prior=1.0 if "drawn" in n else 8.0,
    )


def _wall(
    out: Dynamics, term: Term, symbols: dict[str, str], pulls: Mapping[str, str]
) -> list[str]:
    n = term.numbers
    out.imports.update(("bounce_off_line",))
    offset = _wall_offset(out, n)
    e = out.param(
        "restitution",
        n.get("e", 0.9),
        0.0,
        1.2,
        "1",
        "share of the normal speed that a bounce gives back",
    )
    friction = (
        out.param("friction_contact", n["friction"], 0.0, 1.5, "1", "Coulomb friction at a bounce")
        if "friction" in n
        else "0.0"
    )
    lines = []
    for name in term.bodies:
        s = symbols[name]
        lines += [
            f'x, y, vx, vy = bounce_off_line(b{s}["x"], b{s}["y"], b{s}["vx"], b{s}["vy"], '
            f'{_pair((n["nx"], n["ny"]))}, {offset}, b{s}["radius"], {e}, '
            f"{friction}{f', pull={pulls[s]}' if pulls[s] else ''})",
            f'b{s} = {{**b{s}, "x": x, "y": y, "vx": vx, "vy": vy}}',
        ]
    return lines


def _pendulum(out: Dynamics, body: Body) -> None:
    """One body on a fixed hinge: only ratios such as gravity over length can be known, so these are
    the parameters."""
    m, n, name = out.mechanism, body.numbers, body.name
    out.imports.update(("turned", "start_of" if body.turns else "start_of_angle"))
    tag = out.tag
    px = out.param(
        f"{name}_pivot_x",
        n["pivot_x"],
        n["pivot_x"] - 200,
        n["pivot_x"] + 200,
        "px",
        f"hinge of {name} in the picture",
        prior=max(n.get("spread", 2.0), 0.5),
    )
    py = out.param(
        f"{name}_pivot_y",
        n["pivot_y"],
        n["pivot_y"] - 200,
        n["pivot_y"] + 200,
        "px",
        f"hinge of {name} in the picture",
        prior=max(n.get("spread", 2.0), 0.5),
    )
    centre = _centre(out, body)
    pieces = []
    if term := _acts(m, "gravity", name):
        out.imports.add("xp")
        k = out.param(
            f"gravity_over_length{tag}",
            term.numbers["k"],
            0.0,
            max(10 * term.numbers["k"], 50.0),
            "1/s^2",
            "pull back per radian near rest",
        )
        rest = out.param(
            f"rest_angle{tag}",
            term.numbers["rest"],
            term.numbers["rest"] - math.pi,
            term.numbers["rest"] + math.pi,
            "rad",
            "angle at which it would hang still",
            prior=UPRIGHT if "straight" in term.numbers else 0.3,
        )
        pieces.append(f"- {k} * xp.sin(angle - {rest})")
    if term := _acts(m, "damping", name):
        pieces.append(
            "- "
            f"{out.param(f'damping{tag}', term.numbers['c'], 0.0, max(20 * term.numbers['c'], 5.0), '1/s', 'friction at the hinge')} "
            "* spin"
        )
    if term := _acts(m, "push", name):
        pieces.append(
            out.param(
                f"torque{tag}",
                term.numbers["a"],
                *_around(term.numbers["a"]),
                "rad/s^2",
                "constant angular acceleration",
            )
        )
    if term := _acts(m, "action", name):
        pieces.append(
            f"{out.param(f'gain{tag}', term.numbers['a'], *_around(term.numbers['a']), 'rad/s^2', 'angular acceleration per unit of action')} "
            "* action"
        )
    if pieces:
        out.imports.add(m.integrator)
        out.functions.append(
            "\n".join(
                [
                    f"def accelerate{tag}(q, v, params, action):",
                    '    """Angular acceleration in rad/s^2."""',
                    "    (angle,), (spin,) = q, v",
                    f"    return ({_signed(pieces)},)",
                ]
            )
        )
        out.step += [
            f'    b = state["{name}"]',
            f'    (angle,), (spin,) = {m.integrator}((b["angle"],), (b["spin"],), lambda q, v: '
            f"accelerate{tag}(q, v, params, action), dt)",
        ]
    else:
        out.step += [
            f'    b = state["{name}"]',
            '    angle, spin = b["angle"] + dt * b["spin"], b["spin"]',
        ]
    out.step += _stops(out, body)
    if body.turns:
        out.initial.append(f'    state["{name}"] = start_of(states, "{name}", ("angle",), dt)')
    else:
        out.initial.append(
            f'    state["{name}"] = start_of_angle(states, "{name}", ({px}, {py}), dt)'
        )
    out.initial.append(f'    state["{name}"].update(place{tag}(state["{name}"], params))')
    out.functions.append(
        "\n".join(
            [
                f"def place{tag}(body, params):",
                f'    """Where the centre of {name} is at its angle."""',
                f'    ox, oy = turned({centre}, body["angle"])',
                f'    return {{"x": {px} + ox, "y": {py} + oy}}',
            ]
        )
    )
    out.step += [
        '    b = {**b, "angle": angle, "spin": spin}',
        f'    new["{name}"] = {{**b, **place{tag}(b, params)}}',
    ]
    out.latents += [f"{name}.angle", f"{name}.spin"]


def _stops(out: Dynamics, body: Body) -> list[str]:
    """Lines that turn a pendulum back where it strikes something."""
    lines = []
    for term in out.mechanism.of("stop"):
        if body.name not in term.bodies:
            continue
        out.imports.add("bounce_off_stop")
        n, end = term.numbers, "high" if term.numbers["side"] > 0 else "low"
        stop = out.param(
            f"stop_{end}{out.tag}",
            n["angle"],
            n["angle"] - 1.0,
            n["angle"] + 1.0,
            "rad",
            f"angle at which {body.name} strikes a wall",
            prior=0.1,
        )
        e = out.param(
            f"restitution_{end}{out.tag}",
            n["e"],
            0.0,
            1.0,
            "1",
            "share of the spin that the impact gives back",
            prior=0.3,
        )
        lines.append(
            f"    angle, spin = bounce_off_stop(angle, spin, {stop}, {_number(n['side'])}, {e})"
        )
    return lines


def _linkage(out: Dynamics, tree: Sequence[Body]) -> None:
    """A tree of links on a slider or hinges: the equations of motion come from
    tools.physics.multibody."""
    m = out.mechanism
    out.imports.update(("Link", "accelerations", "frames_of", "start_of", "turned", m.integrator))
    tag = out.tag
    links = [_link(out, body, tree) for body in tree]
    out.functions.append(
        "\n".join(
            [
                f"def links{tag}(params):",
                '    """The mechanism: which link hangs where, and how heavy it is (first link: '
                'mass 1)."""',
                "    return (",
                *[f"        {link}," for link in links],
                "    )",
            ]
        )
    )
    centres = ", ".join(f'"{b.name}": {_centre(out, b)}' for b in tree)
    out.functions.append(
        "\n".join(
            [
                f"def centres{tag}(params):",
                '    """Centre of each drawn link seen from its joint, in its own frame (px)."""',
                f"    return {{{centres}}}",
            ]
        )
    )
    gravity, efforts = _efforts(out, tree)
    coordinates = [_coordinate(b) for b in tree]
    out.functions.append(
        "\n".join(
            [
                f"def place{tag}(state, params):",
                '    """Put every drawn link where its joint and angle say."""',
                f"    poses = frames_of(links{tag}(params), "
                f"({', '.join(f'state[{b.name!r}][{c!r}]' for b, c in zip(tree, coordinates, strict=True))},))".replace(
                    "'", '"'
                ),
                f"    placed, centre = {{}}, centres{tag}(params)",
                "    for name, (x, y, angle) in poses.items():",
                "        ox, oy = turned(centre[name], angle)",
                '        placed[name] = {**state[name], "x": x + ox, "y": y + oy}',
                "    return placed",
            ]
        )
    )
    for body, coordinate in zip(tree, coordinates, strict=True):
        rate = _rate(body)
        if coordinate == "s":
            out.imports.add("start_along")
            n = body.numbers
            out.initial.append(
                f'    state["{body.name}"] = start_along(states, "{body.name}", '
                f"{_pair((n['at_x'], n['at_y']))}, {_pair((n['axis_x'], n['axis_y']))}, dt)"
            )
        elif coordinate == "angle" and not body.turns:
            out.imports.add("start_of_angle")
            out.initial.append(
                f'    state["{body.name}"] = start_of_angle(states, "{body.name}", '
                f"{_hidden_pivot(body)}, dt)"
            )
        else:
            out.initial.append(
                f'    state["{body.name}"] = start_of(states, "{body.name}", ("{coordinate}",), dt)'
            )
        out.latents += [f"{body.name}.{coordinate}", f"{body.name}.{rate}"]
    out.initial.append(f"    state.update(place{tag}(state, params))")
    q = ", ".join(f'state["{b.name}"]["{c}"]' for b, c in zip(tree, coordinates, strict=True))
    v = ", ".join(f'state["{b.name}"]["{_rate(b)}"]' for b in tree)
    out.step += [
        f"    q, v = ({q},), ({v},)",
        f"    system = links{tag}(params)",
        f"    gravity = {gravity}",
    ]
    out.step += [
        "",
        "    def motion(q, v):",
        *[f"        {line}" for line in efforts[:-1]],
        f"        return accelerations(system, q, v, gravity, {efforts[-1]})",
        "",
        f"    q, v = {m.integrator}(q, v, motion, dt)",
    ]
    moved = ", ".join(
        f'"{b.name}": {{**state["{b.name}"], "{c}": q[{k}], "{_rate(b)}": v[{k}]}}'
        for k, (b, c) in enumerate(zip(tree, coordinates, strict=True))
    )
    out.step.append(f"    new.update(place{tag}({{{moved}}}, params))")


def _arm(out: Dynamics, body: Body) -> str:
    """Expression of the distance of a link's drawn centre from its hinge; "" where they all but
    coincide."""
    length = math.hypot(body.numbers["centre_x"], body.numbers["centre_y"])
    if length < 1.0:
        return ""
    prior = min(max(body.numbers.get("spread", 2.0), 0.5), 6.0)
    return out.param(
        f"{body.name}_arm",
        length,
        0.3 * length,
        3.0 * length,
        "px",
        f"distance of the drawn centre of {body.name} from its hinge",
        prior=prior,
    )


def _centre(out: Dynamics, body: Body, times: str = "") -> str:
    """Expression of a link's drawn centre seen from its joint, in its own frame; the direction is
    fixed."""
    if body.motion == "slides":
        return _pair((0.0, 0.0))
    x, y, arm = body.numbers["centre_x"], body.numbers["centre_y"], _arm(out, body)
    if not arm:
        return f"({_number(x)}{times}, {_number(y)}{times})"
    if abs(y) < max(body.numbers.get("spread", 2.0), 0.5):  # within error on the axis of the shape
        return f"({'' if x > 0 else '-'}{arm}{times}, 0.0)"
    length = math.hypot(x, y)
    return f"({_number(x / length)} * {arm}{times}, {_number(y / length)} * {arm}{times})"


def _hidden_pivot(body: Body) -> str:
    n = body.numbers
    return f'"{body.on}"' if body.on else _pair((n["pivot_x"], n["pivot_y"]))


def _coordinate(body: Body) -> str:
    if body.motion == "hinges":
        return "angle"
    if abs(body.numbers["axis_y"]) < 0.02:
        return "x"
    return "y" if abs(body.numbers["axis_x"]) < 0.02 else "s"


def _rate(body: Body) -> str:
    return {"angle": "spin", "x": "vx", "y": "vy", "s": "v"}[_coordinate(body)]


def _link(out: Dynamics, body: Body, tree: Sequence[Body]) -> str:
    n, name, root = body.numbers, body.name, body is tree[0]
    on = "" if body.on is None or root else f', on="{body.on}"'
    gravity = _acts(out.mechanism, "gravity", name)
    weight = n.get("mass", gravity.numbers.get("mass", 0.3) if gravity else 0.3)
    mass = (
        "1.0"
        if root
        else out.param(
            f"{name}_mass",
            weight,
            0.001,
            20.0,
            "1",
            f"mass of {name} relative to {tree[0].name}",
            prior=weight,
        )
    )
    if body.motion == "slides":
        axis = {"x": (1.0, 0.0), "y": (0.0, 1.0), "s": (n["axis_x"], n["axis_y"])}[
            _coordinate(body)
        ]
        at = {"x": (0.0, n["at_y"]), "y": (n["at_x"], 0.0), "s": (n["at_x"], n["at_y"])}[
            _coordinate(body)
        ]
        return f'Link("{name}", "slide"{on}, at={_pair(at)}, axis={_pair(axis)}, mass={mass})'
    prior = min(max(n.get("spread", 2.0), 0.3), 6.0)
    px = out.param(
        f"{name}_pivot_x",
        n["pivot_x"],
        n["pivot_x"] - 60,
        n["pivot_x"] + 60,
        "px",
        f"hinge of {name}, seen from {body.on or 'the picture'}",
        prior=prior,
    )
    py = out.param(
        f"{name}_pivot_y",
        n["pivot_y"],
        n["pivot_y"] - 60,
        n["pivot_y"] + 60,
        "px",
        f"hinge of {name}, seen from {body.on or 'the picture'}",
        prior=prior,
    )
    length = math.hypot(n["centre_x"], n["centre_y"])
    known = gravity.numbers if gravity else {}
    even = body.shape == "box" and f"gyration@{name}" not in known
    reach = out.param(
        f"{name}_reach",
        known.get(f"reach@{name}", 1.0),
        0.3,
        2.5,
        "1",
        f"centre of mass of {name}, as a multiple of its drawn centre's distance from the hinge",
        prior=0.1 if body.shape == "box" else 0.4,
    )
    com = _centre(out, body, f" * {reach}")
    gyration = known.get(f"gyration@{name}", n.get("gyration", length / math.sqrt(3)))
    if even:  # spread as it is drawn, however long it is
        scale = (
            f"{_number(gyration / length)} * {arm}"
            if (arm := _arm(out, body))
            else _number(gyration)
        )
        inertia = f"{mass} * ({scale} * {reach}) ** 2"
    else:  # how the mass is spread over the shape is not seen
        inertia = (
            f"{mass} * "
            f"{out.param(f'{name}_gyration', gyration, 0.0, 3 * length, 'px', f'radius of gyration of {name} about its centre of mass', prior=0.4 * length)} "
            "** 2"
        )
    return (
        f'Link("{name}", "hinge"{on}, at=({px}, {py}), com={com}, mass={mass}, inertia={inertia})'
    )


def _efforts(out: Dynamics, tree: Sequence[Body]) -> tuple[str, list[str]]:
    """Expression of gravity and the lines (last: the dict) of joint efforts."""
    m = out.mechanism
    gravity = ["0.0", "0.0"]
    if term := _acts(m, "gravity", tree[-1].name):
        if "gx" in term.numbers:
            gravity[0] = out.param(
                "field_x",
                term.numbers["gx"],
                *_around(term.numbers["gx"]),
                "px/s^2",
                "constant acceleration to the right",
            )
        gravity[1] = out.param(
            "gravity",
            term.numbers["gy"],
            *_around(term.numbers["gy"]),
            "px/s^2",
            "gravity, downwards",
            term.numbers.get("prior"),
        )
    pieces: list[str] = []
    rates = []
    for k, body in enumerate(tree):
        summands = []
        if term := _acts(m, "push", body.name):
            unit = "px/s^2" if body.motion == "slides" else "px^2/s^2"
            summands.append(
                out.param(
                    f"push{_suffix(m, 'push', body.name)}",
                    term.numbers["a"],
                    *_around(term.numbers["a"]),
                    unit,
                    f"constant effort on {body.name}, per unit mass of {tree[0].name}",
                )
            )
        if term := _acts(m, "action", body.name):
            summands.append(
                f"{out.param(f'gain{_suffix(m, chr(97) + chr(99) + chr(116) + chr(105) + chr(111) + chr(110), body.name)}', term.numbers['a'], *_around(term.numbers['a']), 'per unit of action', f'effort on {body.name} per unit of action')} "
                "* action"
            )
        if term := _acts(m, "damping", body.name):
            c = out.param(
                f"damping_{body.name}",
                term.numbers["c"],
                0.0,
                max(50 * abs(term.numbers["c"]), 1e3),
                "",
                f"damping at the joint of {body.name}",
            )
            relative = (
                f"v[{k}]"
                if body.on is None
                or tree[[b.name for b in tree].index(body.on)].motion == "slides"
                or k == 0
                else f"(v[{k}] - v[{[b.name for b in tree].index(body.on)}])"
            )
            summands.append(f"- {c} * {relative}")
        if (term := _acts(m, "friction", body.name)) and body.motion == "slides":
            out.imports.add("xp")
            c = out.param(
                f"friction_{body.name}",
                term.numbers["c"],
                0.0,
                max(10 * abs(term.numbers["c"]), 100.0),
                "px/s^2",
                f"deceleration of {body.name} by dry friction",
            )
            summands.append(f"- {c} * v[{k}] / xp.sqrt(v[{k}] * v[{k}] + 4.0)")
        if term := _acts(m, "joint_spring", body.name):
            c = out.param(
                f"stiffness_{body.name}",
                term.numbers["k"],
                0.0,
                max(50 * abs(term.numbers["k"]), 1e3),
                "",
                f"spring at the joint of {body.name}",
            )
            rest = out.param(
                f"rest_{body.name}",
                term.numbers["rest"],
                term.numbers["rest"] - 500,
                term.numbers["rest"] + 500,
                "",
                "where that spring is slack",
            )
            summands.append(f"- {c} * (q[{k}] - {rest})")
        if summands:
            pieces.append(f'"{body.name}": {_signed(summands)}')
    return f"({gravity[0]}, {gravity[1]})", [*rates, "{" + ", ".join(pieces) + "}"]


# --------------------------------------------------------------------------------------------------


def write_rendering(mechanism: Mechanism) -> str:
    """The rendering program: parts drawn back to front over the plate."""
    order = _ordered(mechanism)
    imports = {"canvas", "finish", "pose_of", "visible"}
    lines = ['"""Rendering: the plate, and the parts over it from back to front."""', ""]
    body_lines: list[str] = []
    for body in order:
        body_lines += _draw(body, imports, mechanism.drawing)
    if any(True for _ in order):
        imports.add("draw_front")
    lit = (
        [
            "    lit(image, "
            f"[{', '.join(f'state[{chr(34)}light{chr(34)}][{chr(34)}{gain}{chr(34)}]' for gain in mechanism.gains)}])"
        ]
        if mechanism.gains
        else []
    )
    imports |= {"lit"} if lit else set()
    lines += [f"from tools.rendering import {', '.join(sorted(imports))}", "", ""]
    lines += [
        "def render(state, scene, shape):",
        "    image = canvas(scene.background)",
        *body_lines,
        "    draw_front(image, scene)",
        *lit,
        "    return finish(image)",
        "",
    ]
    return "\n".join(lines)


def _draw(body: Body, imports: set[str], drawing: str) -> list[str]:
    """Lines that draw a part, where perception found out what it looks like."""
    name, whole = body.name, drawing == "whole pixels"
    pose = f'    p = pose_of("{name}", state, scene)'
    if drawing == "film":
        imports.add("draw_body")
        drawn = f'        draw_body(image, "{name}", p, scene)'
        return [pose, '    if visible(p, "x", "y"):', drawn]
    look = "cut" if body.shape == "sprite" else "colour"
    lines = [pose, f'    if "{look}" in p and visible(p, "x", "y"):']
    if body.shape == "disk" and whole:
        imports.add("draw_grid_disk")
        lines.append(f'        draw_grid_disk(image, p, scene.sprites.get("{name}"))')
    elif body.shape == "box" and whole:
        imports.add("draw_grid_box")
        lines.append("        draw_grid_box(image, p)")
    elif body.shape == "disk":
        imports.add("draw_disk")
        lines.append(
            '        draw_disk(image, p["x"], p["y"], p["radius"], p["colour"], p["softness"])'
        )
    elif body.shape == "box":
        imports.update(("box_corners", "draw_polygon"))
        lines.append(
            '        draw_polygon(image, box_corners(p["x"], p["y"], p["angle"], p["width"], '
            'p["height"]), p["colour"], p["softness"])'
        )
    elif body.shape == "polygon":
        imports.update(("place", "draw_polygon"))
        lines.append(
            '        draw_polygon(image, place(p["outline"], p["x"], p["y"], p["angle"]), '
            'p["colour"], p["softness"])'
        )
    else:
        imports.add("draw_sprite")
        lines.append(
            f'        draw_sprite(image, scene.sprites["{name}"], p["x"], p["y"], p["angle"], '
            'p["cut"])'
        )
    return lines
