"""Scenes with oracle masks for the suite ``failure``: what perfect networks would see, and how they
may fail.

Drawn with the gallery's brute-force renderer, so that nothing under test drew them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from benchmarks.gallery.drawing import Placed, Shape, backdrop, box, disk, draw, flat

BLACK, BROWN, TRACK = (10.0, 10.0, 12.0), (202.0, 152.0, 101.0), (60.0, 60.0, 60.0)


@dataclass(frozen=True)
class Actor:
    """An object of a scene. x, y, angle: (T,) truth, of the shape's own origin, which is its
    centroid. angle None: it shows none."""

    name: str
    words: str
    shape: Shape
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray | None = None

    def at(self, t: int) -> Placed:
        return Placed(
            self.shape,
            float(self.x[t]),
            float(self.y[t]),
            0.0 if self.angle is None else float(self.angle[t]),
        )


@dataclass(frozen=True)
class OracleScene:
    """frames: (T, H, W, 3) uint8. masks: name -> (T, H, W) bool, visible pixels. actors: truth,
    back to front."""

    name: str
    frames: np.ndarray = field(repr=False)
    masks: Mapping[str, np.ndarray] = field(repr=False)
    actors: tuple[Actor, ...] = field(repr=False)

    @property
    def words(self) -> dict[str, str]:
        return {actor.name: actor.words for actor in self.actors}


def _scene(
    name: str,
    size: tuple[int, int],
    ground: tuple[float, float, float],
    actors: Sequence[Actor],
    scenery: Sequence[Placed] = (),
) -> OracleScene:
    behind = backdrop(flat(ground), size, scenery)
    count = len(actors[0].x)
    frames = np.stack([draw(behind, [actor.at(t) for actor in actors]) for t in range(count)])
    return OracleScene(name, frames, _visible(size, actors, count), tuple(actors))


def _visible(size: tuple[int, int], actors: Sequence[Actor], count: int) -> dict[str, np.ndarray]:
    """Pixels of which each actor, minus what is in front of it, covers at least half."""
    dark = backdrop(flat((0.0, 0.0, 0.0)), size)
    masks = {actor.name: np.zeros((count, *size), bool) for actor in actors}
    for t in range(count):
        for k, actor in enumerate(actors):
            front = [Placed(_painted(a.shape, 0.0), *_pose(a, t)) for a in actors[k + 1 :]]
            picture = draw(dark, [Placed(_painted(actor.shape, 255.0), *_pose(actor, t)), *front])
            masks[actor.name][t] = picture[..., 0] >= 128
    return masks


def _painted(shape: Shape, level: float) -> Shape:
    return Shape(shape.inside, flat((level, level, level)), shape.bounds)


def _pose(actor: Actor, t: int) -> tuple[float, float, float]:
    placed = actor.at(t)
    return placed.x, placed.y, placed.angle


def cart_and_pole(count: int = 30) -> OracleScene:
    """A black cart on a thin track pushed to the left, a brown pole hinged on it falling to the
    right."""
    t = np.arange(count) / 50.0
    x = (
        np.round(6 * (190.3 - 40.0 * t - 130.0 * t**2)) / 6
    )  # upright edges fall between the drawing's 6 samples a pixel
    angle = 0.06 + 0.2 * t + 2.4 * t**2
    half = 55.0
    cart = Actor("cart", "the black cart", box(50, 30, flat(BLACK)), x, np.full(count, 170.5))
    pole = Actor(
        "pole",
        "the brown pole",
        box(10, 2 * half, flat(BROWN)),
        x + half * np.sin(angle),
        160.0 - half * np.cos(angle),
        angle,
    )
    track = Placed(box(400, 1.2, flat(TRACK)), 160.0, 170.0)
    return _scene("cart and pole", (220, 320), (250.0, 250.0, 250.0), [cart, pole], [track])


def two_colours(count: int = 36) -> OracleScene:
    """A red and a blue ball; the blue one passes in front of the red one."""
    t = np.arange(count, dtype=float)
    red = Actor(
        "red_ball",
        "the red ball",
        disk(15.3, flat((200.0, 25.0, 30.0))),
        40.2 + 4.1 * t,
        80.3 + 6.0 * np.sin(t / 9),
    )
    blue = Actor(
        "blue_ball",
        "the blue ball",
        disk(12.2, flat((35.0, 70.0, 190.0))),
        200.7 - 4.3 * t,
        84.1 + 0 * t,
    )
    return _scene("two colours", (160, 240), (235.0, 238.0, 230.0), [red, blue])


def twins(count: int = 36) -> OracleScene:
    """Two balls of one colour and size on parallel paths: only their motion tells them apart."""
    t = np.arange(count, dtype=float)
    paint = flat((30.0, 120.0, 60.0))
    first = Actor(
        "first", "the upper green ball", disk(11.4, paint), 30.3 + 4.6 * t, 50.2 + 0.4 * t
    )
    second = Actor(
        "second", "the lower green ball", disk(11.4, paint), 205.1 - 4.2 * t, 110.6 - 0.3 * t
    )
    return _scene("twins", (160, 240), (240.0, 236.0, 228.0), [first, second])


SCENES: dict[str, Callable[[], OracleScene]] = {
    "cart and pole": cart_and_pole,
    "two colours": two_colours,
    "twins": twins,
}

Masks = dict[str, np.ndarray]


@dataclass(frozen=True)
class Spoiled:
    """Masks after a failure. swapped, missing: (T,) bool, the frames that a check ought to name."""

    masks: Masks
    swapped: np.ndarray
    missing: np.ndarray


def perfect(scene: OracleScene, rng: np.random.Generator) -> Spoiled:
    """What ideal networks would give."""
    return _spoiled(scene, dict(scene.masks))


def eroded(scene: OracleScene, rng: np.random.Generator) -> Spoiled:
    """Every mask two pixels too small all around."""
    kernel = np.ones((5, 5), np.uint8)
    return _spoiled(
        scene,
        {
            n: np.stack([cv2.erode(f.astype(np.uint8), kernel).astype(bool) for f in m])
            for n, m in scene.masks.items()
        },
    )


def shifted(scene: OracleScene, rng: np.random.Generator) -> Spoiled:
    """Every mask three pixels to the right and two down."""
    return _spoiled(scene, {n: _moved(m, 3, 2) for n, m in scene.masks.items()})


def swapped(scene: OracleScene, rng: np.random.Generator) -> Spoiled:
    """The two objects exchanged in the middle third of the clip."""
    count = len(scene.frames)
    at = (np.arange(count) >= count // 3) & (np.arange(count) < 2 * count // 3)
    a, b = scene.masks
    masks = {n: m.copy() for n, m in scene.masks.items()}
    masks[a][at], masks[b][at] = scene.masks[b][at], scene.masks[a][at]
    return Spoiled(masks, at, np.zeros(count, bool))


def missing(scene: OracleScene, rng: np.random.Generator) -> Spoiled:
    """The first object without a mask in a random third of the frames."""
    count = len(scene.frames)
    at = np.zeros(count, bool)
    at[rng.choice(np.arange(1, count), count // 3, replace=False)] = True
    name = next(iter(scene.masks))
    masks = {n: m.copy() for n, m in scene.masks.items()}
    masks[name][at] = False
    return Spoiled(masks, np.zeros(count, bool), at)


def mistaken(scene: OracleScene, rng: np.random.Generator) -> Spoiled:
    """The paper's Figure 6: the first name is given the second object's masks (the pole is taken
    for "the black cart")."""
    a, b = scene.masks
    return _spoiled(scene, {a: scene.masks[b].copy(), b: scene.masks[b].copy()})


def _spoiled(scene: OracleScene, masks: Masks) -> Spoiled:
    none = np.zeros(len(scene.frames), bool)
    return Spoiled(masks, none, none)


def _moved(mask: np.ndarray, dx: int, dy: int) -> np.ndarray:
    out = np.zeros_like(mask)
    out[:, dy:, dx:] = mask[:, : mask.shape[1] - dy, : mask.shape[2] - dx]
    return out


FAILURES: dict[str, Callable[[OracleScene, np.random.Generator], Spoiled]] = {
    "perfect": perfect,
    "eroded": eroded,
    "shifted": shifted,
    "swapped": swapped,
    "missing": missing,
    "mistaken": mistaken,
}
