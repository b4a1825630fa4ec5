"""Scenes with known truth for measuring perception: drawn by point sampling, independently of
``tools.rendering``.

A scene is made by a function of one random generator; coordinates are the project's (pixel centres
at integers, x right, y down, angles clockwise).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.media import mp4_bytes, read_bytes

Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Body coordinates u, v (...) -> colours (..., 3)."""


@dataclass(frozen=True)
class Piece:
    """An outline (N, 2) in body coordinates, or a disk (centre, radius), with its paint."""

    outline: np.ndarray | tuple[tuple[float, float], float]
    paint: Paint | tuple[float, float, float]
    hole: float = 0.0

    @property
    def bounding_radius(self) -> float:
        if isinstance(self.outline, tuple):
            return math.hypot(*self.outline[0]) + self.outline[1]
        return float(np.hypot(*self.outline.T).max())

    def inside(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        if isinstance(self.outline, tuple):
            (cx, cy), radius = self.outline
            square = (u - cx) ** 2 + (v - cy) ** 2
            return (square <= radius**2) & (square >= self.hole**2)
        odd = np.zeros(u.shape, bool)
        for (ax, ay), (bx, by) in zip(self.outline, np.roll(self.outline, -1, 0), strict=True):
            if ay != by:
                odd ^= ((ay > v) != (by > v)) & (u < ax + (v - ay) * (bx - ax) / (by - ay))
        return odd


@dataclass(frozen=True)
class Actor:
    """Something drawn. kind: the shape that perception should name; path: (T, 3) x, y, angle, or
    (3,) when it stands still."""

    name: str
    kind: str
    pieces: tuple[Piece, ...]
    path: np.ndarray

    @property
    def bounding_radius(self) -> float:
        return max(piece.bounding_radius for piece in self.pieces)

    @property
    def moves(self) -> bool:
        return self.path.ndim == 2

    def at(self, t: int) -> np.ndarray:
        return self.path[t] if self.moves else self.path


@dataclass(frozen=True)
class Scene:
    """frames: (T, H, W, 3) uint8. actors: those that move, back to front. shown: actor name -> (T,)
    share that is visible. plate: (H, W, 3) uint8, the picture without the actors that move (clean,
    at the first frame's light)."""

    frames: np.ndarray
    actors: tuple[Actor, ...]
    shown: dict[str, np.ndarray]
    plate: np.ndarray


# --------------------------------------------------------------------------------------------------


def stamp(
    image: np.ndarray, actor: Actor, pose: np.ndarray, samples: int
) -> tuple[slice, slice, np.ndarray] | None:
    """Draw in place; returns the window and the coverage (h, w) in it, or None outside the
    image."""
    x, y, angle = pose
    reach = actor.bounding_radius + 1
    x0, x1 = max(0, math.floor(x - reach)), min(image.shape[1], math.ceil(x + reach) + 1)
    y0, y1 = max(0, math.floor(y - reach)), min(image.shape[0], math.ceil(y + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return None
    dx, dy = _points(x0 - x, x1 - x0, y0 - y, y1 - y0, samples)
    c, s = math.cos(angle), math.sin(angle)
    u, v = c * dx + s * dy, c * dy - s * dx
    window = (slice(y0, y1), slice(x0, x1))
    fine = np.repeat(np.repeat(image[window], samples, 0), samples, 1)
    covered = np.zeros(u.shape, bool)
    for piece in actor.pieces:
        hit = piece.inside(u, v)
        fine[hit] = piece.paint(u[hit], v[hit]) if callable(piece.paint) else piece.paint
        covered |= hit
    size = (x1 - x0, y1 - y0)
    image[window] = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
    return *window, cv2.resize(covered.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _points(
    left: float, width: int, top: float, height: int, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sample points of a window, (height * samples, width * samples) each. The grid in a pixel is
    sheared, so that an edge along rows or columns meets samples^2 different distances instead of
    ``samples``."""
    i, j = np.arange(width * samples), np.arange(height * samples)[:, None]
    step = (np.arange(samples) + 0.5) / samples
    return left - 0.5 + (i + step[j % samples]) / samples, top - 0.5 + (
        j + step[i % samples]
    ) / samples


def film(
    ground: np.ndarray,
    actors: Sequence[Actor],
    frames: int,
    in_front: Sequence[Actor] = (),
    behind: Sequence[Actor] = (),
    samples: int = 8,
) -> Scene:
    """Draw every frame. ground: (H, W, 3); behind, in_front: fixed actors. samples: points per
    pixel and axis; 1 = hard edges."""
    base = ground.astype(np.float32)
    for actor in behind:
        stamp(base, actor, actor.at(0), samples)
    pictures, shown = [], {actor.name: np.zeros(frames) for actor in actors}
    for t in range(frames):
        image, whole = base.copy(), {}
        owner: dict[str, np.ndarray] = {}
        for actor in [*actors, *in_front]:
            layer = stamp(image, actor, actor.at(t), samples)
            if layer is None:
                continue
            rows, columns, cover = layer
            for other in owner.values():
                other[rows, columns] *= 1 - cover
            if actor.name in shown:
                whole[actor.name] = _area(actor, samples)
                owner[actor.name] = np.zeros(image.shape[:2], np.float32)
                owner[actor.name][rows, columns] = cover
        for name, mask in owner.items():
            shown[name][t] = mask.sum() / whole[name]
        pictures.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    for actor in (*(a for a in actors if not a.moves), *in_front):
        stamp(base, actor, actor.at(0), samples)
    plate = np.clip(np.rint(base), 0, 255).astype(np.uint8)
    return Scene(np.stack(pictures), tuple(a for a in actors if a.moves), shown, plate)


def _area(actor: Actor, samples: int) -> float:
    reach = math.ceil(actor.bounding_radius) + 1
    blank = np.zeros((2 * reach + 1, 2 * reach + 1, 3), np.float32)
    layer = stamp(blank, actor, np.array([reach, reach, 0.0]), min(samples, 3))
    assert layer is not None, "the middle of the picture lies inside it"
    return float(layer[2].sum())


# --------------------------------------------------------------------------------------------------


def disk(radius: float, colour, centre=(0.0, 0.0)) -> Piece:
    return Piece((tuple(centre), radius), colour)


def rectangle(width: float, height: float, colour, centre=(0.0, 0.0)) -> Piece:
    w, h = width / 2, height / 2
    return Piece(np.array([(-w, -h), (w, -h), (w, h), (-w, h)], float) + centre, colour)


def outline(points, colour) -> Piece:
    return Piece(np.asarray(points, float), colour)


def half_disk(radius: float, colour, start: float) -> Piece:
    turn = np.linspace(start, start + math.pi, 60)
    return outline(radius * np.stack([np.cos(turn), np.sin(turn)], 1), colour)


def waves(colour, rng: np.random.Generator, length: float = 12.0, contrast: float = 60.0) -> Paint:
    """A smooth random texture around ``colour``."""
    k, phase = rng.normal(0, 2 * math.pi / length, (6, 2)), rng.uniform(0, 2 * math.pi, (6, 3))
    weight = rng.normal(0, contrast / math.sqrt(6), (6, 3))

    def paint(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        total = sum(
            w * np.cos((a * u + b * v)[..., None] + p)
            for (a, b), p, w in zip(k, phase, weight, strict=True)
        )
        return np.clip(total + np.asarray(colour, float), 0, 255)

    return paint


def plain(height: int, width: int, colour=(255, 255, 255)) -> np.ndarray:
    return np.broadcast_to(np.asarray(colour, np.float32), (height, width, 3)).copy()


def gradient(height: int, width: int, top, bottom) -> np.ndarray:
    share = (
        np.linspace(0, 1, height)[:, None, None] * 0.7 + np.linspace(0, 0.3, width)[None, :, None]
    )
    return ((1 - share) * np.asarray(top, float) + share * np.asarray(bottom, float)).astype(
        np.float32
    )


def texture(
    height: int,
    width: int,
    rng: np.random.Generator,
    colour=(130, 135, 125),
    length: float = 30.0,
    contrast: float = 30.0,
) -> np.ndarray:
    v, u = np.mgrid[:height, :width].astype(float)
    return waves(colour, rng, length, contrast)(u, v).astype(np.float32)


def flight(frames: int, x, y, vx=0.0, vy=0.0, ax=0.0, ay=0.0, angle=0.0, spin=0.0) -> np.ndarray:
    """(T, 3) poses under constant acceleration and spin, per frame."""
    t = np.arange(frames, dtype=float)
    return np.stack([x + vx * t + ax * t * t / 2, y + vy * t + ay * t * t / 2, angle + spin * t], 1)


def swing(
    frames: int, pivot, offset: float, amplitude: float, period: float, phase: float = 0.0
) -> np.ndarray:
    """(T, 3) of a body whose origin lies ``offset`` below ``pivot`` at angle 0 and that swings
    around it."""
    angle = amplitude * np.cos(2 * math.pi * np.arange(frames) / period + phase)
    return np.stack(
        [pivot[0] - offset * np.sin(angle), pivot[1] + offset * np.cos(angle), angle], 1
    )


def noisy(scene: Scene, sigma: float, rng: np.random.Generator) -> Scene:
    loud = scene.frames + rng.normal(0, sigma, scene.frames.shape).astype(np.float32)
    return replace(scene, frames=np.clip(np.rint(loud), 0, 255).astype(np.uint8))


def compressed(scene: Scene, crf: int = 23) -> Scene:
    height, width = scene.frames.shape[1:3]
    return replace(
        scene,
        frames=np.ascontiguousarray(
            read_bytes(mp4_bytes(scene.frames, crf=crf)).frames[:, :height, :width]
        ),
    )


def blurred(scene: Scene, sigma: float) -> Scene:
    return replace(
        scene, frames=np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in scene.frames])
    )


def lit(scene: Scene, gains: np.ndarray) -> Scene:
    bright = scene.frames.astype(np.float32) * gains[:, None, None, None]
    return replace(scene, frames=np.clip(np.rint(bright), 0, 255).astype(np.uint8))


RED, BLUE, GREEN, BLACK, ORANGE, VIOLET = (
    (210, 40, 40),
    (40, 70, 200),
    (30, 150, 70),
    (20, 20, 20),
    (240, 150, 30),
    (130, 60, 170),
)
BLOB = [(-22, -14), (5, -24), (25, -8), (16, 18), (-4, 11), (-20, 21)]


# --------------------------------------------------------------------------------------------------


def disks(rng: np.random.Generator) -> Scene:
    """Four disks of different size and colour in free flight."""
    appearances = ((6, RED), (11, BLUE), (17, GREEN), (30, ORANGE))
    actors = [
        Actor(
            f"d{k}",
            "disk",
            (disk(r, c),),
            flight(30, 40 + 60 * k, 50 + 35 * k, rng.uniform(-1, 3), rng.uniform(-1, 2), ay=0.05),
        )
        for k, (r, c) in enumerate(appearances)
    ]
    return film(plain(240, 320), actors, 30)


def tiny_disk(rng: np.random.Generator) -> Scene:
    """Radius 3 pixels."""
    return film(
        plain(120, 160, (30, 32, 40)),
        [
            Actor(
                "d", "disk", (disk(3, (230, 230, 90)),), flight(30, 12.3, 100.2, 4.1, -5.3, ay=0.37)
            )
        ],
        30,
    )


def small_picture(rng: np.random.Generator) -> Scene:
    """64 x 64 pixels, a disk and a turning box."""
    actors = [
        Actor("d", "disk", (disk(5, RED),), flight(20, 10.3, 12.8, 2.2, 0.4, ay=0.1)),
        Actor("b", "box", (rectangle(14, 8, BLUE),), flight(20, 45.1, 44.7, -1.1, -0.2, spin=0.12)),
    ]
    return film(plain(64, 64), actors, 20)


def huge_disk(rng: np.random.Generator) -> Scene:
    """A disk of half the picture's height that drifts slowly and never uncovers its middle."""
    return film(
        plain(300, 400, (235, 240, 250)),
        [Actor("d", "disk", (disk(75, GREEN),), flight(20, 160.2, 150.4, 3.3, -0.8))],
        20,
    )


def boxes(rng: np.random.Generator) -> Scene:
    """Turning boxes and a square on a dark picture."""
    sizes = ((40, 18, ORANGE), (26, 26, (120, 200, 240)), (60, 9, (200, 90, 160)))
    actors = [
        Actor(
            f"b{k}",
            "box",
            (rectangle(w, h, c),),
            flight(
                30,
                60 + 95 * k,
                70 + 50 * k,
                rng.uniform(-1, 1),
                rng.uniform(-1, 1),
                angle=rng.uniform(0, 1),
                spin=rng.uniform(0.04, 0.12),
            ),
        )
        for k, (w, h, c) in enumerate(sizes)
    ]
    return film(plain(240, 320, (25, 28, 35)), actors, 30)


def thin_rods(rng: np.random.Generator) -> Scene:
    """Rods two and three pixels wide."""
    actors = [
        Actor(
            "thin",
            "box",
            (rectangle(90, 2, BLACK),),
            flight(30, 90.3, 80.1, 1.3, 0.7, angle=0.3, spin=0.05),
        ),
        Actor(
            "thick",
            "box",
            (rectangle(70, 3, RED),),
            flight(30, 220.3, 150.1, -0.8, 0.4, angle=1.3, spin=-0.07),
        ),
    ]
    return film(plain(240, 320), actors, 30)


def polygons(rng: np.random.Generator) -> Scene:
    """A triangle, an L and an irregular outline."""
    ell = [(-18, -22), (-4, -22), (-4, 8), (20, 8), (20, 22), (-18, 22)]
    shapes = (
        ("tri", [(0, -24), (21, 14), (-21, 14)], RED),
        ("ell", ell, BLUE),
        ("blob", BLOB, GREEN),
    )
    actors = [
        Actor(
            n,
            "polygon",
            (outline(p, c),),
            flight(
                30,
                60 + 95 * k,
                80 + 40 * k,
                rng.uniform(-1, 1),
                rng.uniform(-1, 1),
                spin=rng.uniform(0.03, 0.1),
            ),
        )
        for k, (n, p, c) in enumerate(shapes)
    ]
    return film(plain(240, 320), actors, 30)


def ring(rng: np.random.Generator) -> Scene:
    """A ring whose hole shows the background."""
    return film(
        plain(200, 240),
        [
            Actor(
                "ring",
                "sprite",
                (Piece(((0.0, 0.0), 24.0), VIOLET, 15.0),),
                flight(24, 50.3, 60.2, 5.1, 1.3),
            )
        ],
        24,
    )


def hard_edges(rng: np.random.Generator) -> Scene:
    """Drawn without anti-aliasing."""
    actors = [
        Actor("d", "disk", (disk(12, RED),), flight(24, 40.3, 60.2, 4.1, 1.7)),
        Actor(
            "b", "box", (rectangle(36, 14, BLUE),), flight(24, 180.3, 150.2, -2.3, -0.7, spin=0.07)
        ),
    ]
    return film(plain(200, 240), actors, 24, samples=1)


def soft_edges(rng: np.random.Generator) -> Scene:
    """Blurred like a lens out of focus."""
    actors = [
        Actor("d", "disk", (disk(14, RED),), flight(24, 40.3, 60.2, 4.1, 1.7)),
        Actor(
            "b", "box", (rectangle(40, 18, BLUE),), flight(24, 180.3, 150.2, -2.3, -0.7, spin=0.07)
        ),
    ]
    return blurred(film(plain(200, 240), actors, 24), 1.5)


def gradient_ground(rng: np.random.Generator) -> Scene:
    """Disk and box over a gradient."""
    actors = [
        Actor("d", "disk", (disk(13, RED),), flight(24, 40.3, 60.2, 5.1, 1.7)),
        Actor(
            "b",
            "box",
            (rectangle(36, 16, (250, 230, 60)),),
            flight(24, 220.3, 150.2, -3.3, -0.7, spin=0.07),
        ),
    ]
    return film(gradient(220, 280, (120, 170, 230), (60, 60, 90)), actors, 24)


def textured_ground(rng: np.random.Generator) -> Scene:
    """Flat disk and textured box over a texture."""
    actors = [
        Actor("d", "disk", (disk(13, (230, 40, 40)),), flight(24, 40.3, 60.2, 5.1, 1.7)),
        Actor(
            "b",
            "sprite",
            (rectangle(50, 34, waves((70, 90, 200), rng, 14)),),
            flight(24, 220.3, 150.2, -3.3, -0.7, spin=0.07),
        ),
    ]
    return film(texture(220, 280, rng), actors, 24)


def noise(rng: np.random.Generator) -> Scene:
    """Disk, box and triangle under pixel noise of 5 grey levels."""
    return noisy(_trio(), 5.0, rng)


def mp4(rng: np.random.Generator) -> Scene:
    """The same as h264, yuv420p, constant rate factor 23."""
    return compressed(_trio())


def _trio(height: int = 240, width: int = 320) -> Scene:
    actors = [
        Actor("d", "disk", (disk(13, RED),), flight(30, 40.3, 60.2, 5.1, 0.7, ay=0.1)),
        Actor(
            "b", "box", (rectangle(40, 16, BLUE),), flight(30, 250.3, 170.2, -3.3, -0.7, spin=0.07)
        ),
        Actor(
            "t",
            "polygon",
            (outline([(0, -24), (21, 14), (-21, 14)], GREEN),),
            flight(30, 100.3, 190.2, 2.3, -1.7, spin=-0.05),
        ),
    ]
    return film(plain(height, width, (245, 245, 240)), actors, 30)


def changing_light(rng: np.random.Generator) -> Scene:
    """The light falls by a quarter over the clip, on a textured ground."""
    actors = [
        Actor("d", "disk", (disk(13, RED),), flight(40, 40.3, 60.2, 5.1, 0.7)),
        Actor(
            "b",
            "box",
            (rectangle(40, 16, (40, 60, 140)),),
            flight(40, 250.3, 170.2, -3.3, -0.7, spin=0.07),
        ),
    ]
    return lit(
        film(texture(240, 320, rng, (190, 195, 180), 60, 15), actors, 40),
        np.linspace(1.0, 0.75, 40),
    )


def crossing_equal(rng: np.random.Generator) -> Scene:
    """Two disks of one colour cross, overlapping for several frames."""
    actors = [
        Actor("a", "disk", (disk(13, BLUE),), flight(30, 40, 95, 6, 0.7)),
        Actor("b", "disk", (disk(13, BLUE),), flight(30, 235, 120, -5, -0.5)),
    ]
    return film(plain(200, 280), actors, 30)


def crossing_other(rng: np.random.Generator) -> Scene:
    """A box passes in front of a disk of another colour."""
    actors = [
        Actor("d", "disk", (disk(20, ORANGE),), flight(30, 40, 95, 6, 0.7)),
        Actor("b", "box", (rectangle(40, 20, BLUE),), flight(30, 235, 120, -5, -0.5, spin=0.06)),
    ]
    return film(plain(200, 280), actors, 30)


def touching_equal(rng: np.random.Generator) -> Scene:
    """Two disks of one colour meet, touch for a moment and part."""
    t = np.arange(30)
    left = np.stack([120 - 6 * np.abs(t - 14.0) - 11, 90 + 0 * t, 0 * t], 1)
    right = np.stack([120 + 4 * np.abs(t - 14.0) + 11.2, 90 + 0 * t, 0 * t], 1)
    return film(
        plain(180, 260),
        [
            Actor("a", "disk", (disk(11, GREEN),), left),
            Actor("b", "disk", (disk(11, GREEN),), right),
        ],
        30,
    )


def together_at_first(rng: np.random.Generator) -> Scene:
    """Two boxes of one colour lie against each other for the first frames, then part."""
    t = np.arange(30.0)
    go = np.maximum(t - 6, 0)
    actors = [
        Actor(
            "a",
            "box",
            (rectangle(30, 20, RED),),
            np.stack([110 - 3 * go, 80 + 0 * t, -0.03 * go], 1),
        ),
        Actor(
            "b",
            "box",
            (rectangle(30, 20, RED),),
            np.stack([141 + 2 * go, 80 + 1 * go, 0.05 * go], 1),
        ),
    ]
    return film(plain(180, 260), actors, 30)


def behind_post(rng: np.random.Generator) -> Scene:
    """A disk passes behind a fixed post."""
    post = Actor("post", "box", (rectangle(24, 220, (120, 90, 60)),), np.array([140.0, 100.0, 0.0]))
    return film(
        plain(200, 280),
        [Actor("d", "disk", (disk(13, RED),), flight(36, 30, 80, 6, 0.7))],
        36,
        in_front=[post],
    )


def comes_and_goes(rng: np.random.Generator) -> Scene:
    """One disk enters late, another leaves early."""
    actors = [
        Actor("late", "disk", (disk(12, RED),), flight(40, -80, 70, 6, 0.4)),
        Actor("early", "box", (rectangle(30, 16, BLUE),), flight(40, 200, 140, 7, 0.4, spin=0.05)),
    ]
    return film(plain(200, 280), actors, 40)


def rests_then_moves(rng: np.random.Generator) -> Scene:
    """A ball at rest for more than half the clip is struck by another."""
    t = np.arange(40.0)
    hit = 26
    left = np.stack(
        [30 + 5.0 * np.minimum(t, hit) + 0.5 * np.maximum(t - hit, 0), 90 + 0 * t, 0 * t], 1
    )
    right = np.stack([30 + 5.0 * hit + 26 + 4.5 * np.maximum(t - hit, 0), 90 + 0 * t, 0 * t], 1)
    return film(
        texture(180, 280, rng),
        [Actor("a", "disk", (disk(13, RED),), left), Actor("b", "disk", (disk(13, BLUE),), right)],
        40,
    )


def rests_at_last(rng: np.random.Generator) -> Scene:
    """A ball arrives and then lies still for most of the clip."""
    t = np.arange(40.0)
    path = np.stack([30 + 9.0 * np.minimum(t, 15), 60 + 0.5 * np.minimum(t, 15) ** 2, 0 * t], 1)
    return film(
        gradient(220, 280, (200, 220, 250), (230, 220, 190)),
        [Actor("a", "disk", (disk(13, RED),), path)],
        40,
    )


def two_colours(rng: np.random.Generator) -> Scene:
    """A ball of two halves that rolls, with nothing else."""
    pieces = (half_disk(18, RED, 0.0), half_disk(18, (250, 220, 60), math.pi))
    return film(
        plain(200, 300),
        [Actor("ball", "sprite", pieces, flight(30, 30, 150, 7, 0, spin=7 / 18))],
        30,
    )


def beach_ball(rng: np.random.Generator) -> Scene:
    """A ball of six sectors in two colours, and a plain one."""
    turn = [np.linspace(k * math.pi / 3, (k + 1) * math.pi / 3, 20) for k in range(6)]
    pieces = tuple(
        outline(
            [(0, 0), *(20 * np.stack([np.cos(a), np.sin(a)], 1))], (RED, (240, 240, 240))[k % 2]
        )
        for k, a in enumerate(turn)
    )
    actors = [
        Actor("ball", "sprite", pieces, flight(30, 40, 60, 5, 1, ay=0.1, spin=0.11)),
        Actor("other", "disk", (disk(15, BLUE),), flight(30, 260, 40, -2, 3)),
    ]
    return film(plain(220, 320, (200, 225, 205)), actors, 30)


def dotted_ball(rng: np.random.Generator) -> Scene:
    """A rolling disk with an eccentric dot."""
    return film(
        plain(200, 300),
        [
            Actor(
                "ball",
                "sprite",
                (disk(18, BLUE), disk(4, (255, 255, 255), (10, 0))),
                flight(30, 30, 150, 6, 0, spin=6 / 18),
            )
        ],
        30,
    )


def textured_boxes(rng: np.random.Generator) -> Scene:
    """Two textured boxes that turn and collide."""
    t = np.arange(30.0)
    left = np.stack([130 - 4 * np.abs(t - 15), 80 + 0.5 * t, 0.05 * t], 1)
    right = np.stack([190 + 3 * np.abs(t - 15), 110 - 0.5 * t, -0.08 * t], 1)
    return film(
        plain(200, 300),
        [
            Actor("a", "sprite", (rectangle(44, 30, waves((180, 80, 60), rng, 14)),), left),
            Actor("b", "sprite", (rectangle(40, 36, waves((60, 120, 180), rng, 14)),), right),
        ],
        30,
    )


def pendulum_string(rng: np.random.Generator) -> Scene:
    """A bob on a thin string under a fixed pin."""
    path = swing(36, (160, 20), 0.0, 0.8, 30)
    bob = swing(36, (160, 20), 130, 0.8, 30)
    pin = Actor("pin", "disk", (disk(4, BLACK),), np.array([160.0, 20.0, 0.0]))
    return film(
        plain(220, 320),
        [
            Actor("string", "box", (rectangle(1.6, 130, (60, 60, 60), (0, 65)),), path),
            Actor("bob", "disk", (disk(13, RED),), bob),
        ],
        36,
        in_front=[pin],
    )


def double_pendulum(rng: np.random.Generator) -> Scene:
    """Two rods and two bobs, four colours."""
    a, b = 0.9 * np.cos(np.arange(40) / 7), 1.3 * np.cos(np.arange(40) / 5 + 1)
    x1, y1 = 160 - 70 * np.sin(a), 70 + 70 * np.cos(a)
    x2, y2 = x1 - 60 * np.sin(b), y1 + 60 * np.cos(b)
    zero = 0 * a
    actors = [
        Actor(
            "rod1",
            "box",
            (rectangle(5, 70, (90, 90, 100), (0, 35)),),
            np.stack([160 + zero, 70 + zero, a], 1),
        ),
        Actor("rod2", "box", (rectangle(5, 60, VIOLET, (0, 30)),), np.stack([x1, y1, b], 1)),
        Actor("bob1", "disk", (disk(11, RED),), np.stack([x1, y1, zero], 1)),
        Actor("bob2", "disk", (disk(9, BLUE),), np.stack([x2, y2, zero], 1)),
    ]
    return film(plain(260, 320), actors, 40)


def double_pendulum_one_colour(rng: np.random.Generator) -> Scene:
    """Two rods of one colour that hang in a chain."""
    a, b = 0.9 * np.cos(np.arange(40) / 7), 1.3 * np.cos(np.arange(40) / 5 + 1)
    x1, y1 = 160 - 80 * np.sin(a), 70 + 80 * np.cos(a)
    zero = 0 * a
    actors = [
        Actor(
            "rod1",
            "box",
            (rectangle(10, 80, BLUE, (0, 40)),),
            np.stack([160 + zero, 70 + zero, a], 1),
        ),
        Actor("rod2", "box", (rectangle(10, 70, BLUE, (0, 35)),), np.stack([x1, y1, b], 1)),
    ]
    return film(plain(260, 320), actors, 40)


def cart(rng: np.random.Generator) -> Scene:
    """Cart, pole and axle over a thin track, moving little."""
    t = np.arange(14.0)
    x, angle = 150 + 0.12 * t * t, 0.1 + 0.012 * t + 0.002 * t * t
    zero = 0 * t
    track = Actor("track", "box", (rectangle(300, 2, BLACK),), np.array([150.0, 160.0, 0.0]))
    actors = [
        Actor("cart", "box", (rectangle(50, 28, BLACK),), np.stack([x, 160 + zero, zero], 1)),
        Actor(
            "pole",
            "box",
            (rectangle(8, 100, (200, 150, 100), (0, -48)),),
            np.stack([x, 150 + zero, angle], 1),
        ),
        Actor("axle", "disk", (disk(4, (130, 130, 200)),), np.stack([x, 150 + zero, zero], 1)),
    ]
    return film(plain(200, 300), actors, 14, behind=[track])


def slow_mover(rng: np.random.Generator) -> Scene:
    """A box and a disk that never uncover their background, on a gradient."""
    actors = [
        Actor("d", "disk", (disk(22, RED),), flight(16, 70.3, 80.2, 0.9, 0.3)),
        Actor(
            "b", "box", (rectangle(50, 30, BLUE),), flight(16, 200.3, 130.2, -0.6, 0.1, spin=0.01)
        ),
    ]
    return film(gradient(200, 280, (250, 240, 220), (200, 220, 250)), actors, 16)


def three_frames(rng: np.random.Generator) -> Scene:
    """Two soft balls seen in three frames (as h264)."""
    actors = [
        Actor("red", "disk", (disk(28, (255, 0, 0)),), flight(3, 60.3, 128, 6.1)),
        Actor("blue", "disk", (disk(34, (0, 0, 255)),), flight(3, 190.3, 128, -3.2)),
    ]
    return compressed(film(plain(256, 256), actors, 3))


def still(rng: np.random.Generator) -> Scene:
    """Nothing moves."""
    fixed = [
        Actor("d", "disk", (disk(20, RED),), np.array([100.0, 90.0, 0.0])),
        Actor("b", "box", (rectangle(60, 20, BLUE),), np.array([200.0, 150.0, 0.4])),
    ]
    return film(plain(200, 280), fixed, 12)


def pegs(rng: np.random.Generator) -> Scene:
    """A ball falls past fixed pegs onto a floor; one peg has the ball's colour."""
    fixed = [
        Actor("p1", "disk", (disk(8, BLACK),), np.array([90.0, 90.0, 0.0])),
        Actor("p2", "disk", (disk(8, RED),), np.array([170.0, 110.0, 0.0])),
        Actor("floor", "box", (rectangle(300, 20, (110, 80, 50)),), np.array([140.0, 205.0, 0.0])),
    ]
    return film(
        plain(210, 280),
        [Actor("d", "disk", (disk(10, RED),), flight(30, 30, 30, 4.4, 0.0, ay=0.36))],
        30,
        behind=fixed,
    )


def low_contrast(rng: np.random.Generator) -> Scene:
    """Grey on a slightly lighter grey, with weak noise."""
    actors = [
        Actor("d", "disk", (disk(13, (110, 110, 110)),), flight(30, 40.3, 60.2, 5.1, 1.7)),
        Actor(
            "b",
            "box",
            (rectangle(40, 18, (170, 170, 170)),),
            flight(30, 220.3, 150.2, -3.3, -0.7, spin=0.07),
        ),
    ]
    return noisy(film(plain(220, 280, (140, 140, 140)), actors, 30), 2.0, rng)


def newtons_cradle(rng: np.random.Generator) -> Scene:
    """Five balls of one colour; the outer two swing in turn."""
    t = np.arange(40)
    left = np.where(np.cos(2 * math.pi * t / 36) > 0, 0.7 * np.cos(2 * math.pi * t / 36), 0.0)
    right = np.where(np.cos(2 * math.pi * t / 36) < 0, 0.7 * np.cos(2 * math.pi * t / 36), 0.0)
    grey = (100, 105, 115)

    def ball(name: str, pivot: float, angle: np.ndarray) -> Actor:
        return Actor(
            name,
            "disk",
            (disk(12, grey),),
            np.stack([pivot - 100 * np.sin(angle), 20 + 100 * np.cos(angle), 0 * angle], 1),
        )

    still = [
        Actor(f"m{k}", "disk", (disk(12, grey),), np.array([136 + 24.0 * k, 120.0, 0.0]))
        for k in range(3)
    ]
    return film(
        plain(180, 320), [ball("left", 112, left), ball("right", 208, right)], 40, behind=still
    )


def stack(rng: np.random.Generator) -> Scene:
    """Three boxes of one colour fall onto each other and onto a floor."""
    t = np.arange(40.0)
    floor = Actor(
        "floor", "box", (rectangle(300, 30, (110, 80, 50)),), np.array([130.0, 195.0, 0.0])
    )
    actors = []
    for k, start in enumerate((140.0, 90.0, 30.0)):
        rest = 180 - 14.5 - 29 * k - 0.5
        actors.append(
            Actor(
                f"b{k}",
                "box",
                (rectangle(38 - 4 * k, 29, ORANGE),),
                np.stack([130.2 + 3 * k + 0 * t, np.minimum(start + 0.2 * t * t, rest), 0 * t], 1),
            )
        )
    return film(plain(210, 260, (225, 235, 245)), actors, 40, behind=[floor])


def spinning_wheel(rng: np.random.Generator) -> Scene:
    """A spoked wheel that rolls."""
    pieces = (
        Piece(((0.0, 0.0), 26.0), BLACK, 21.0),
        rectangle(44, 4, BLACK),
        rectangle(4, 44, RED),
    )
    return film(
        plain(200, 300),
        [Actor("wheel", "sprite", pieces, flight(30, 40, 140, 6, 0, spin=6 / 26))],
        30,
    )


def full_hd(rng: np.random.Generator) -> Scene:
    """1920 x 1080: a small ball, a thin rod and a large box."""
    actors = [
        Actor("d", "disk", (disk(9, RED),), flight(20, 240.3, 260.2, 35.1, 3.7, ay=2)),
        Actor(
            "r", "box", (rectangle(400, 4, BLACK),), flight(20, 1300.3, 400.2, 3.3, -2.7, spin=0.07)
        ),
        Actor(
            "b",
            "box",
            (rectangle(380, 240, BLUE),),
            flight(20, 500.3, 800.2, 13.3, -2.7, spin=0.03),
        ),
    ]
    return film(plain(1080, 1920, (240, 240, 235)), actors, 20, samples=4)


SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    make.__name__: make
    for make in (
        disks,
        tiny_disk,
        small_picture,
        huge_disk,
        boxes,
        thin_rods,
        polygons,
        ring,
        hard_edges,
        soft_edges,
        gradient_ground,
        textured_ground,
        noise,
        mp4,
        changing_light,
        crossing_equal,
        crossing_other,
        touching_equal,
        together_at_first,
        behind_post,
        comes_and_goes,
        rests_then_moves,
        rests_at_last,
        two_colours,
        beach_ball,
        dotted_ball,
        textured_boxes,
        pendulum_string,
        double_pendulum,
        double_pendulum_one_colour,
        cart,
        slow_mover,
        three_frames,
        still,
        pegs,
        low_contrast,
        newtons_cradle,
        stack,
        spinning_wheel,
        full_hd,
    )
}
"""Every scene by name."""
