"""The dynamics program of a mechanism."""

from __future__ import annotations

from agent.proposers.offline.grammar.check import freely, linked, objection, touching
from agent.proposers.offline.grammar.law import EventLaw
from agent.proposers.offline.grammar.laws.stop import Stop
from agent.proposers.offline.grammar.mechanism import Mechanism
from agent.proposers.offline.grammar.shapes.box import Box
from agent.proposers.offline.source.algebra import literal, of
from agent.proposers.offline.source.crowds import crowds
from agent.proposers.offline.source.free import free
from agent.proposers.offline.source.jostling import jostling
from agent.proposers.offline.source.program import Block, Function, Names, Program
from agent.proposers.offline.source.single import single
from agent.proposers.offline.source.tree import tree
from agent.proposers.offline.source.writer import Refused, Writer, state_of, unpack

MARK = "# mechanism: "
"""Begins the line at the foot of a dynamics program that holds its mechanism."""


def dynamics(
    mechanism: Mechanism, notes: tuple[str, ...] | None = None, strict: bool = True
) -> Program:
    """The program of a mechanism; Refused with a reason where it cannot be printed.

    notes: comment lines at its foot, None for the mechanism itself. strict: refuse numbers that
    nothing depends on; else they are listed in ``Program.idle``, and ``Mechanism.fixing`` makes
    constants of them."""
    if reason := objection(mechanism):
        raise Refused(reason)
    names = Names(
        {"PARAMS", "LATENTS", "DIFFERENTIABLE", "Param", "xp", "initial", "step", "cornered"}
    )
    stepping = mechanism.integrator.replace("_", " ")
    about = ["Dynamics: how the state moves on from frame to frame.", ""]
    about += [
        *(f"- {sentence}" for sentence in mechanism.sentences()),
        "",
        f"Integrated by {stepping}.",
    ]
    program = Program(about, tuple(mechanism.parameters.values()), names=names)
    writer = Writer.of(mechanism, program)
    _groups(writer)
    _ends(writer)
    program.notes = (MARK + mechanism.dumps(),) if notes is None else notes
    for function in program.functions:
        if "params" in function.arguments:
            unpack(function, writer.locals)
    text = str(program)
    program.idle = tuple(n for n in mechanism.parameters if f'params["{n}"]' not in text)
    if program.idle and strict:
        raise Refused(f"{program.idle[0]}: nothing that moves depends on it; make it a constant")
    program.imports["tools.types"] = {"Param"}
    if any("xp." in line for function in program.functions for line in function.lines()):
        program.imports.setdefault("tools.physics", set()).add("xp")
    return program


def _groups(writer: Writer) -> None:
    groups = [
        group
        for group in linked(writer.mechanism)
        if any(i.joint.coordinates() for i in writer.moving(group))
    ]
    for group, *likes in crowds(writer, groups):
        first = writer.moving(group)[0].key.replace(".", "_")
        tag = f"_{first}" if len(groups) > 1 else ""
        printer = _printer(writer, group)
        if likes:
            free(writer, group, tag, likes)
        else:
            printer(writer, group, tag)


def _printer(writer: Writer, group: frozenset[str]):
    """Who prints a group."""
    items = writer.moving(group)
    if group & touching(writer.mechanism):
        return jostling
    if freely(writer.mechanism, group):
        return free
    alone = len(items) == 1 and len(items[0].joint.coordinates()) == 1 and items[0].joint.on is None
    often = (EventLaw, Stop) if writer.mechanism.substeps > 1 else EventLaw
    struck = any(isinstance(law, often) and set(law.on) & group for law in writer.mechanism.laws)
    return single if alone and not struck else tree


def _ends(writer: Writer) -> None:
    """The two functions of the contract."""
    outcome, program = "{}", writer.program
    if gridded(writer.mechanism):
        outcome = "cornered({}, params)"
        _corners(writer)
    if writer.ticking:
        writer.initial.add('state["clock"] = {"time": 0.0}')
        writer.step.add('new["clock"] = {"time": state["clock"]["time"] + dt}')
    begin = Block("", ["state = {}", writer.initial, f"return {outcome.format('state')}"])
    on = Block("", ["new = dict(state)", writer.step, f"return {outcome.format('new')}"])
    program.functions.append(Function("initial", ("states", "params", "dt"), "", begin))
    program.functions.append(Function("step", ("state", "params", "action", "dt"), "", on))


def gridded(mechanism: Mechanism) -> list[str]:
    """Names of moving boxes whose corners are taken to lie on whole pixels."""
    if mechanism.drawing != "whole pixels":
        return []
    return [b.name for b in mechanism.bodies if isinstance(b.shape, Box) and b.joint.shows()]


def _corners(writer: Writer) -> None:
    """The function that adds the corners of boxes drawn on the pixel grid."""
    writer.program.uses("tools.physics", "corners_of")
    block = Block("", ["state = dict(state)"])
    for name in gridded(writer.mechanism):
        body, n = writer.mechanism.by_name[name], writer.of_shape(name)
        assert isinstance(body.shape, Box)
        if body.shape.width is None or body.shape.height is None:
            raise Refused(
                f"{name}: expected width and height of a box that is drawn on whole pixels"
            )
        still = dict(zip(("x", "y", "angle"), body.shape.still, strict=True))
        pose = [f'b["{a}"]' if a in body.joint.shows() else literal(still[a]) for a in still]
        corners = f"corners_of({', '.join(pose)}, {of(n.width)}, {of(n.height)})"
        block.add(f'b = state["{name}"]', f'state["{name}"] = {state_of("b")[:-1]}, **{corners}}}')
    block.add("return state")
    about = "Corners of the boxes, as they are before the drawing rounds them to whole pixels."
    writer.program.functions.append(Function("cornered", ("state", "params"), about, block))
