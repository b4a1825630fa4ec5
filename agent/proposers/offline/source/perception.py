"""The perception program of a mechanism: declared parts, followed by analysis by synthesis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.proposers.offline.grammar.check import reaching, touching
from agent.proposers.offline.grammar.joints.image import Image
from agent.proposers.offline.grammar.joints.weld import Weld
from agent.proposers.offline.grammar.mechanism import LIGHTS, Body, Link, Mechanism
from agent.proposers.offline.source.dynamics import gridded
from agent.proposers.offline.source.program import spread
from tools.guide import Guide


def ordered(mechanism: Mechanism) -> list[Body]:
    """Bodies from back to front."""
    return [mechanism.by_name[name] for name in mechanism.order or tuple(mechanism.by_name)]


def measured(mechanism: Mechanism, body: Body) -> tuple[str, ...]:
    """Attributes of a body that perception reports; the rest of its pose is constant."""
    found = [*body.joint.shows(), *body.scalars]
    if body.name in touching(mechanism):
        if body.shape.turns and "angle" not in found:
            found.append("angle")
        found += body.shape.sizes if not body.shape.solid() else ()
        return tuple(found)
    found += [size for size in reaching(mechanism, body) if size not in found]
    return tuple(found)


@dataclass(frozen=True)
class Said:
    """What a person pointed out, and the checksum of the first frame of the clip that it is said
    of."""

    clip: int
    guide: Guide

    def tables(self, objects: bool) -> Iterator[str]:
        """The tables of a program, and the sentences above them. objects: also where bodies are."""
        guide = self.guide if objects else Guide(tracks=self.guide.tracks)
        yield from ("", "# A person spoke of the clip whose first frame has this checksum.")
        yield f"CLIP = {self.clip}"
        yield from guide.source().splitlines()


def perception(mechanism: Mechanism, said: Said | None = None) -> str:
    """Source of the program. said: what a person pointed out."""
    if mechanism.drawing == "film":
        return "\n".join([*_filmed(mechanism, said), ""])
    said = said if said and said.guide.tracks else None
    return "\n".join([*_declared(mechanism, said), "", "", *_perceive(mechanism, said), ""])


def _filmed(mechanism: Mechanism, said: Said | None) -> Iterator[str]:
    """The whole program for camera pictures: bodies are what moves together."""
    bodies = ordered(mechanism)
    yield '"""Perception: the moving bodies of a camera picture, each with one picture of its own.'
    yield ""
    yield from (f"- {body.name}" for body in bodies)
    yield from ('"""', "", "# Where each body is first seen, in pixels.", "BODIES = {")
    for body in bodies:
        near = body.shape.near
        yield f'    "{body.name}": {near and f"({round(near[0])}, {round(near[1])})"},'
    yield from ("}", "", *_varies(mechanism), *(said.tables(True) if said else ()))
    yield from ("", "", "def perceive(frames, tools):")
    if said:
        yield "    own = tools.same_clip(frames, CLIP)"
        objects = "OBJECTS if own else None" if said.guide.objects else "None"
        given = ", GIVEN if own else None" if said.guide.tracks else ""
        yield f"    tracks = tools.moving_bodies(frames, BODIES, {objects}{given})"
    else:
        yield "    tracks = tools.moving_bodies(frames, BODIES)"
    yield "    states = tools.states_of(tracks, VARIES)"
    yield "    scene = tools.scene_of(tracks, VARIES)"
    yield "    return states, scene"


def _varies(mechanism: Mechanism) -> Iterator[str]:
    """The table of what perception measures."""
    yield "# What varies; the rest of each pose is constant, a part of the scene."
    yield "VARIES = {"
    varying = {body.name: measured(mechanism, body) for body in ordered(mechanism)}
    yield from (f'    "{name}": {spread(v)},' for name, v in varying.items() if v)
    yield "}"


def _declared(mechanism: Mechanism, said: Said | None) -> Iterator[str]:
    bodies = ordered(mechanism)
    yield '"""Perception: where the parts of the picture are, frame by frame.'
    yield ""
    yield from (f"- {body.name}: {body.shape.description()}" for body in bodies)
    yield from ('"""', "", "from tools.perception.parts import Part", "", "PARTS = (")
    yield from (f"    {_part(body)}," for body in bodies)
    yield from (")", "", *_varies(mechanism))
    for table, why in TABLES.items():
        if carried := _carried(mechanism, table):
            yield from ("", f"# {why}", f"{table} = {{")
            yield from (f'    "{body.name}": {_host(body)},' for body in carried)
            yield "}"
    if links := [body for body in bodies if body.links]:
        yield from (
            "",
            "# Springs, ropes and threads: from where, and how far from the centre they end.",
        )
        yield "LINKS = {"
        for body in links:
            ends = ", ".join(map(_ends, body.links))
            yield f'    "{body.name}": ' + (f"({ends})," if len(body.links) > 1 else f"{ends},")
        yield "}"
    if grid := [body.name for body in bodies if body.name in gridded(mechanism)]:
        yield from ("", "# Boxes whose corners are drawn on whole pixels.")
        yield f"ON_GRID = {spread(grid)}"
    yield from said.tables(False) if said else ()


def _ends(link: Link) -> str:
    """Where a link begins and ends, as a tuple."""
    if link.to:
        return f'("{link.to}", {round(link.start, 1)}, {round(link.end, 1)})'
    return f"({round(link.x, 1)}, {round(link.y, 1)}, {round(link.end, 1)})"


def _perceive(mechanism: Mechanism, said: Said | None) -> Iterator[str]:
    grid, gains = gridded(mechanism), LIGHTS[mechanism.light]
    yield "def perceive(frames, tools):"
    plain = mechanism.plate and f"tools.plain(frames, {tuple(round(c) for c in mechanism.plate)})"
    yield f"    plate = {plain or 'tools.background(frames)'}"
    yield "    tracks = tools.track(frames, PARTS, plate)"
    if said:
        yield "    if tools.same_clip(frames, CLIP):"
        yield "        tracks = tools.as_given(frames, tracks, GIVEN)"
    sized = {body.name: (*body.scalars, *body.joint.placed()) for body in ordered(mechanism)}
    if swelling := [name for name, varies in sized.items() if "radius" in varies]:
        yield f"    tracks = tools.resized(frames, tracks, {spread(swelling)})"
    if grid:
        yield "    drawn = tools.on_grid(frames, tracks, ON_GRID)"
    yield f"    states = tools.states_of(tracks, VARIES{', drawn.corners' if grid else ''})"
    if gains:
        yield f"    states = tools.with_light(states, tracks, {spread(gains)})"
    rides = ", RIDES" if _carried(mechanism, "RIDES") else ""
    rides += ", images=IMAGES" if _carried(mechanism, "IMAGES") else ""
    mattes = ", mattes=drawn.mattes" if grid else ""
    yield f"    scene = tools.scene_of(tracks, VARIES{rides}{mattes})"
    if any(body.links for body in ordered(mechanism)):
        yield "    scene = tools.linked(frames, tracks, scene, LINKS)"
    yield "    return states, scene"


TABLES = {
    "RIDES": "Parts that are fixed to another part.",
    "IMAGES": "Shadows and mirror images of other parts.",
}
"""Tables of what goes with another part, and what is said of each."""


def _carried(mechanism: Mechanism, table: str) -> list[Body]:
    """Bodies of one of the two tables."""
    kind = {"RIDES": Weld, "IMAGES": Image}[table]
    return [body for body in ordered(mechanism) if type(body.joint) is kind]


def _host(body: Body) -> str:
    """What a body goes with, and where that turns about a point that shows its angle."""
    about = body.joint.about if isinstance(body.joint, Weld) else None
    host = f'"{body.joint.on}"'
    return host if about is None else f"({host}, {about[0]:.2f}, {about[1]:.2f})"


def _part(body: Body) -> str:
    words = [f'"{body.name}"', f'"{body.shape.word}"']
    if body.shape.colour is not None:
        words.append("(" + ", ".join(str(round(c)) for c in body.shape.colour) + ")")
    if body.shape.near is not None:
        words.append(f"near=({round(body.shape.near[0])}, {round(body.shape.near[1])})")
    return f"Part({', '.join(words)})"
