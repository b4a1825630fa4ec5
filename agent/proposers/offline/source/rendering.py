"""The rendering program of a mechanism: parts drawn back to front over the plate."""

from __future__ import annotations

from agent.proposers.offline.grammar.joints.revolute import Revolute
from agent.proposers.offline.grammar.mechanism import LIGHTS, Body, Mechanism
from agent.proposers.offline.source.perception import ordered


def _turns(body: Body) -> bool:
    """Whether a body is drawn at the angle of its joint: it shows one, or nobody could tell."""
    return not body.shape.turns or not isinstance(body.joint, Revolute) or body.joint.seen


def rendering(mechanism: Mechanism) -> str:
    """Source of the program."""
    imports, lines = {"canvas", "draw_front", "finish"}, []
    for body in ordered(mechanism):
        for number, link in enumerate(body.links, 1):
            imports |= {"draw_link", "pose_of"}
            pose = f'pose_of("{body.name}", state, scene)'
            more = f', pose_of("{link.to}", state, scene)' if link.to else ""
            more += f", number={number}" if number > 1 else ""
            lines.append(f'    draw_link(image, scene, "{body.name}", {pose}{more})')
    for body in ordered(mechanism):
        names: tuple[str, ...] = ("draw_body",)
        condition = ""
        if mechanism.drawing == "film":
            statement = f'draw_body(image, "{body.name}", p, scene)'
        else:
            names, statement = body.shape.draw(body.name, mechanism.drawing == "whole pixels")
            condition = f'"{body.shape.look}" in p and '
        imports |= {"pose_of", "visible", *names}
        turns = "" if _turns(body) or mechanism.drawing == "film" else ", turns=False"
        lines += [
            f'    p = pose_of("{body.name}", state, scene{turns})',
            f'    if {condition}visible(p, "x", "y"):',
            f"        {statement}",
        ]
    lines.append("    draw_front(image, scene)")
    if gains := LIGHTS[mechanism.light]:
        imports.add("lit")
        listed = ", ".join(f'state["light"]["{gain}"]' for gain in gains)
        lines.append(f"    lit(image, [{listed}])")
    head = [
        '"""Rendering: the plate, and the parts over it from back to front."""',
        "",
        f"from tools.rendering import {', '.join(sorted(imports))}",
        "",
        "",
        "def render(state, scene, shape):",
        "    image = canvas(scene.background)",
    ]
    return "\n".join([*head, *lines, "    return finish(image)", ""])
