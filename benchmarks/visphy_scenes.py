"""Scenes like the flat ones of VisPhyWorld, drawn by seed: disks, bars and cups in bright colours
on white that fall from rest, roll down black ramps, topple and tip (pymunk).

    python -m benchmarks.visphy_scenes FOLDER --count 2

writes them as clips for ``run-agent bench visphy --data FOLDER``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pymunk

from tools import media

SIZE, FRAMES, DT = 512, 17, 0.2
PULL = 59.0 / DT**2
"""Pixels per s² with which the published clips of this kind fall."""
RED, GREEN, BLUE, GREY, BLACK = (
    (240, 78, 67),
    (106, 205, 186),
    (22, 118, 241),
    (184, 200, 209),
    (0, 0, 0),
)
_STEPS = 60  # of the engine a frame
_BOUNCE, _FRICTION = 0.2, 0.5

Colour = tuple[int, int, int]


class Flat:
    """A side view that is being set up. Things may rest on the border of the picture."""

    def __init__(self) -> None:
        self.space = pymunk.Space()
        self.space.gravity = (0.0, PULL)
        self._drawn: list[tuple[pymunk.Shape, Colour]] = []
        self.clash = False
        corners = [(0, 0), (SIZE - 1, 0), (SIZE - 1, SIZE - 1), (0, SIZE - 1)]
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            out = (np.sign(y1 - y0) * 50, -np.sign(x1 - x0) * 50)
            edge = pymunk.Segment(
                self.space.static_body, (x0 + out[0], y0 + out[1]), (x1 + out[0], y1 + out[1]), 50
            )
            self._rub(edge)
            self.space.add(edge)

    def _rub(self, shape: pymunk.Shape) -> None:
        shape.elasticity, shape.friction = _BOUNCE**0.5, _FRICTION**0.5

    def _body(self, x: float, y: float, angle: float, fixed: bool) -> pymunk.Body:
        body = pymunk.Body(body_type=pymunk.Body.STATIC) if fixed else pymunk.Body()
        body.position, body.angle = (x, y), angle
        self.space.add(body)
        return body

    def _add(self, shapes: Sequence[pymunk.Shape], colour: Colour) -> None:
        for shape in shapes:
            self._rub(shape)
            shape.density = 1.0
            self.space.add(shape)
            self._drawn.append((shape, colour))
        for shape in shapes:
            for met in self.space.shape_query(shape):
                deep = any(point.distance < -1.0 for point in met.contact_point_set.points)
                self.clash |= deep and met.shape is not None and met.shape.body is not shape.body

    def ball(self, x: float, y: float, radius: float, colour: Colour, fixed: bool = False) -> None:
        """A disk."""
        self._add([pymunk.Circle(self._body(x, y, 0.0, fixed), radius)], colour)

    def bar(
        self, x: float, y: float, size: tuple[float, float], angle: float, colour: Colour,
        fixed: bool = False,
    ) -> None:  # fmt: skip
        """A box."""
        body = self._body(x, y, angle, fixed)
        self._add([pymunk.Poly.create_box(body, size)], colour)

    def cup(
        self, x: float, floor: float, size: tuple[float, float], colour: Colour, fixed: bool = False
    ) -> None:
        """An open jar that stands on ``floor``."""
        (w, h), thick = size, 10.0
        body = self._body(x, floor - h / 2, 0.0, fixed)
        boxes = (
            (0, h / 2 - thick / 2, w, thick),
            (-w / 2 + thick / 2, 0, thick, h),
            (w / 2 - thick / 2, 0, thick, h),
        )
        shapes = [
            pymunk.Poly(
                body,
                [
                    (u - a / 2, v - b / 2),
                    (u + a / 2, v - b / 2),
                    (u + a / 2, v + b / 2),
                    (u - a / 2, v + b / 2),
                ],
            )
            for u, v, a, b in boxes
        ]
        self._add(shapes, colour)

    def film(self, frames: int = FRAMES) -> np.ndarray:
        """(frames, SIZE, SIZE, 3) uint8."""
        shown = []
        for _ in range(frames):
            shown.append(self._picture())
            for _ in range(_STEPS):
                self.space.step(DT / _STEPS)
        return np.stack(shown)

    def _picture(self) -> np.ndarray:
        frame = np.full((SIZE, SIZE, 3), 255, np.uint8)
        for shape, colour in self._drawn:
            assert shape.body is not None, "every shape was given a body"
            if isinstance(shape, pymunk.Circle):
                x, y = (round(256 * v) for v in shape.body.position)
                cv2.circle(frame, (x, y), round(256 * shape.radius), colour, -1, cv2.LINE_AA, 8)
            else:
                assert isinstance(shape, pymunk.Poly)
                points = [shape.body.local_to_world(v) for v in shape.get_vertices()]
                fixed = np.rint(np.array(points) * 256).astype(np.int32)
                cv2.fillConvexPoly(frame, fixed, colour, cv2.LINE_AA, 8)
        return frame


def ramp(rng: np.random.Generator) -> Flat:
    """A ball falls on a ramp and rolls off along the floor."""
    scene, side = Flat(), rng.choice([-1, 1])
    x, y, slope = 256 - side * rng.uniform(80, 140), rng.uniform(300, 400), rng.uniform(0.2, 0.6)
    scene.bar(x, y, (rng.uniform(140, 220), 10), side * slope, BLACK, True)
    scene.ball(x - side * rng.uniform(0, 40), y - rng.uniform(80, 200), rng.uniform(12, 30), RED)
    return scene


def ramps(rng: np.random.Generator) -> Flat:
    """Balls go down two ramps, one after the other."""
    scene = Flat()
    for k, side in enumerate((1, -1)):
        y = 190 + 130 * k + rng.uniform(-20, 20)
        scene.bar(
            256 - side * rng.uniform(60, 110),
            y,
            (260, 10),
            side * rng.uniform(0.15, 0.35),
            BLACK,
            True,
        )
    scene.ball(rng.uniform(80, 200), rng.uniform(30, 90), rng.uniform(14, 24), GREEN)
    scene.ball(rng.uniform(330, 450), rng.uniform(150, 250), rng.uniform(14, 24), BLUE)
    return scene


def topple(rng: np.random.Generator) -> Flat:
    """A ball falls beside standing bars and pushes them over."""
    scene = Flat()
    x = rng.uniform(220, 300)
    for k in range(int(rng.integers(1, 4))):
        scene.bar(x + 45 * k, 511 - 50, (10, 100), 0.0, GREY)
    scene.ball(x - rng.uniform(0, 12), rng.uniform(60, 200), rng.uniform(18, 32), RED)
    return scene


def see_saw(rng: np.random.Generator) -> Flat:
    """A bar on a fixed ball, and a ball that falls on one end."""
    scene = Flat()
    x, radius = rng.uniform(200, 300), rng.uniform(20, 40)
    scene.ball(x, 511 - radius, radius, BLACK, True)
    scene.bar(x + rng.uniform(-4, 4), 511 - 2 * radius - 5, (rng.uniform(180, 260), 10), 0.0, GREY)
    scene.ball(
        x + rng.choice([-1, 1]) * rng.uniform(50, 85),
        rng.uniform(60, 250),
        rng.uniform(12, 24),
        RED,
    )
    return scene


def cup(rng: np.random.Generator) -> Flat:
    """Balls fall into a cup, or onto its rim."""
    scene, x = Flat(), rng.uniform(150, 360)
    scene.cup(x, 511, (rng.uniform(80, 120), rng.uniform(70, 110)), GREY, bool(rng.integers(2)))
    scene.ball(x + rng.uniform(-60, 60), rng.uniform(60, 200), rng.uniform(12, 22), GREEN)
    scene.ball(x + rng.uniform(-90, 90), rng.uniform(20, 120), rng.uniform(14, 34), RED)
    return scene


def pile(rng: np.random.Generator) -> Flat:
    """Balls of all sizes fall on each other."""
    scene = Flat()
    for k, colour in enumerate((RED, GREEN, BLUE, GREY)[: int(rng.integers(2, 5))]):
        scene.ball(256 + rng.uniform(-60, 60), 60 + 105 * k, rng.uniform(16, 40), colour)
    return scene


def shelf(rng: np.random.Generator) -> Flat:
    """Balls and a bar on shelves and off them."""
    scene, x = Flat(), rng.uniform(130, 380)
    scene.bar(
        x,
        rng.uniform(280, 400),
        (rng.uniform(100, 200), 10),
        rng.choice([0.0, 0.08, -0.08]),
        BLACK,
        True,
    )
    scene.bar(
        x + rng.uniform(-90, 90),
        rng.uniform(60, 140),
        (rng.uniform(60, 110), 12),
        rng.uniform(-0.8, 0.8),
        GREY,
    )
    scene.ball(x + rng.uniform(-110, 110), rng.uniform(150, 240), rng.uniform(14, 28), RED)
    return scene


def pegs(rng: np.random.Generator) -> Flat:
    """A ball falls among fixed pegs."""
    scene = Flat()
    for row in range(3):
        for column in range(4):
            scene.ball(90 + 110 * column + 55 * (row % 2), 200 + 90 * row, 9, BLACK, True)
    scene.ball(rng.uniform(150, 360), rng.uniform(40, 120), rng.uniform(14, 24), RED)
    scene.ball(rng.uniform(60, 450), rng.uniform(40, 120), rng.uniform(12, 20), BLUE)
    return scene


FLAT: dict[str, Callable[[np.random.Generator], Flat]] = {
    "ramp": ramp,
    "ramps": ramps,
    "topple": topple,
    "see-saw": see_saw,
    "cup": cup,
    "pile": pile,
    "shelf": shelf,
    "pegs": pegs,
}
"""Scene by name."""


def drawn(name: str, seed: int, frames: int = FRAMES) -> np.ndarray:
    """(frames, SIZE, SIZE, 3) uint8 of a scene in which nothing overlaps at the start."""
    for again in count():
        scene = FLAT[name](np.random.default_rng([seed, list(FLAT).index(name), again]))
        if not scene.clash:
            return scene.film(frames)
    raise AssertionError("never left")


def main(arguments: list[str] | None = None) -> int:
    """Write clips in the layout of the published ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2, help="clips of each scene")
    asked = parser.parse_args(arguments)
    for name in FLAT:
        for seed in range(asked.count):
            frames = drawn(name, seed)
            clip = asked.folder / f"{name}_{seed}"
            clip.mkdir(parents=True, exist_ok=True)
            media.write(clip / "gt.mp4", frames, DT)
            for k in (0, 9):
                cv2.imwrite(str(clip / f"frame_{k + 1:02}.png"), frames[k][..., ::-1])
    print(asked.folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
