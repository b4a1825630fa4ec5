"""A drawn clip as a camera in trouble would have taken it: shake, pan, tilt, light, blur, shadows,
signs in the picture, frames at uneven times.

What moves is told from what stands by the median over time; each moving piece is followed to the
next frame, as a rigid body, to the nearest piece of its size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import minimize_scalar

PAN = 0.25
"""Pixels a frame."""
TILT = 5.0
"""Degrees."""
FLICKER = 0.03
"""Standard deviation of the light from frame to frame."""
SHADOW, ASIDE = 0.35, (7.0, 9.0)
"""Share of the light that a shadow takes, and pixels that it lies right of and below its body."""
MIRRORED = 0.3
"""Share of a body's contrast that its mirror image keeps."""
EXPOSED = 0.5
"""Share of the time between frames for which the shutter is open."""
ROLLING = 0.6
"""Share of the time between frames in which the rows are read from top to bottom."""
REPEATED = 5
"""Every so many-th frame repeats the one before."""
DROPPED = 0.25
"""Share of the frames that are missing where the frame rate varies."""
_NOTICED = 14
"""Grey levels from which a pixel belongs to something that moves."""
_STEPS = 9
_ROUND, _FASTEST = 0.85, 0.6
"""Share of the circle around it that a disk fills, and radians a frame that anything turns by."""

Trouble = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""(T, H, W, 3) uint8 frames, and how many of them are seen -> frames of the same shape. What nobody
could know of the frames to come is left out of them: they are as if taken with the last hand's
position, in the usual light, no frame twice, and the clock stands."""


def shaken(pixels: float) -> Trouble:
    """Every frame shifted by up to ``pixels`` right or left, up or down."""

    def trouble(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
        shifts = rng.uniform(-pixels, pixels, (len(frames), 2))
        shifts[seen:] = shifts[seen - 1]
        return _moved(frames, [_shift(dx, dy) for dx, dy in shifts])

    return trouble


def panned(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """The camera turns evenly, so that everything drifts to the left."""
    return _moved(frames, [_shift(-PAN * t, 0.0) for t in range(len(frames))])


def tilted(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """The camera is held askew."""
    height, width = frames.shape[1:3]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), TILT, 1.0)
    return _moved(frames, [turn] * len(frames))


def flickering(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """Light that changes from frame to frame."""
    gains = rng.normal(1.0, FLICKER, len(frames)).astype(np.float32)
    gains[seen:] = 1.0
    return _bytes(frames * gains[:, None, None, None])


def shadowed(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """What moves casts a soft shadow beside it."""
    plate, out = _plate(frames), []
    for frame in frames:
        there = _moving(frame, plate).astype(np.float32)
        cast = cv2.warpAffine(there, _shift(*ASIDE), there.shape[::-1])
        cast = SHADOW * cv2.GaussianBlur(cast, (0, 0), 1.5) * (1 - there)
        out.append(frame * (1 - cast[..., None]))
    return _bytes(np.stack(out))


def reflected(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """What moves is mirrored, fainter, in a level line below all of it."""
    plate = _plate(frames)
    pieces = [_moving(frame, plate) for frame in frames]
    low = max((int(np.flatnonzero(one.any(1))[-1]) for one in pieces if one.any()), default=0)
    line, out = min(low + 2, frames.shape[1] - 1), []
    for frame, there in zip(frames, pieces, strict=True):
        difference = (frame - plate) * there[..., None]
        image = np.zeros_like(plate)
        rows = np.arange(line + 1, min(2 * line + 1, len(plate)))
        image[rows] = difference[2 * line - rows]
        out.append(frame + MIRRORED * image)
    return _bytes(np.stack(out))


def blurred(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """The shutter is open for a part of each frame."""
    shares = np.linspace(0.0, EXPOSED, _STEPS)

    def swept(piece: np.ndarray, way: _Way) -> np.ndarray:
        x, y = _grid(piece)
        return np.mean([_taken(piece, *way.back(x, y, share)) for share in shares], axis=0)

    return _pieces(frames, swept)


def rolled(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """Rows are read one after the other, so that what moves is sheared."""

    def sheared(piece: np.ndarray, way: _Way) -> np.ndarray:
        x, y = _grid(piece)
        return _taken(piece, *way.back(x, y, ROLLING * y / len(y)))

    return _pieces(frames, sheared)


def repeating(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """Every fifth frame is the one before, as a converter of frame rates writes it."""
    frames = frames.copy()
    for t in range(REPEATED - 1, seen, REPEATED):
        frames[t] = frames[t - 1]
    return frames


def clocked(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """A clock in hundredths of a second in the upper left corner."""
    out = frames.copy()
    for t, frame in enumerate(out):
        said = f"{min(t, seen - 1) / 30:05.2f}"
        cv2.putText(frame, said, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (90, 90, 90), 1)
    return out


def branded(frames: np.ndarray, seen: int, rng: np.random.Generator) -> np.ndarray:
    """A half transparent sign in the lower right corner."""
    height, width = frames.shape[1:3]
    sign = np.zeros((height, width), np.uint8)
    cv2.circle(sign, (width - 14, height - 14), 8, 150, 2, cv2.LINE_AA)
    cv2.putText(sign, "tv", (width - 19, height - 11), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 150, 1)
    share = sign[..., None].astype(np.float32) / 255
    return _bytes(frames + share * (np.array((40, 90, 200), np.float32) - frames))


TROUBLES: dict[str, Trouble] = {
    "shake1": shaken(1.0),
    "shake3": shaken(3.0),
    "pan": panned,
    "tilt": tilted,
    "flicker": flickering,
    "shadow": shadowed,
    "reflection": reflected,
    "blur": blurred,
    "rolling": rolled,
    "repeat": repeating,
    "clock": clocked,
    "logo": branded,
}
"""What can be wrong, by name."""


def kept(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the frames that a camera with a varying frame rate has taken, the first and the
    last among them."""
    there = rng.random(frames) >= DROPPED
    there[[0, -1]] = True
    return np.flatnonzero(there)


# --------------------------------------------------------------------------------------------------


def _plate(frames: np.ndarray) -> np.ndarray:
    return np.asarray(np.median(frames, axis=0), np.float32)


def _moving(frame: np.ndarray, plate: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(frame - plate).max(-1) > _NOTICED)


def _shift(dx: float, dy: float) -> np.ndarray:
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])


def _moved(frames: np.ndarray, moves: list[np.ndarray]) -> np.ndarray:
    """Frames each under a map of its own, their borders continued."""
    return np.stack(
        [
            cv2.warpAffine(
                frame, m, frame.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            for frame, m in zip(frames, moves, strict=True)
        ]
    )


def _pieces(frames: np.ndarray, changed: Callable[[np.ndarray, _Way], np.ndarray]) -> np.ndarray:
    """Frames with every moving piece replaced by what ``changed`` makes of it (its difference from
    the plate, (H, W, 3) float32) and of its way to the next frame."""
    plate = _plate(frames)
    found = [_found(frame, plate) for frame in frames]
    out = []
    for t, pieces in enumerate(found):
        picture = plate.copy()
        for piece in pieces:
            way = _way(piece, found[t + 1]) if t + 1 < len(found) else None
            if way is None and t and (back := _way(piece, found[t - 1])) is not None:
                way = _Way(back.place, -back.shift, -back.turn)
            picture += piece.picture if way is None else changed(piece.picture, way)
        out.append(picture)
    return _bytes(np.stack(out))


@dataclass(frozen=True)
class _Piece:
    """Something that moves, in one frame: its middle (x, y), its area, and its difference from the
    plate, (H, W, 3) float32."""

    place: np.ndarray
    area: float
    picture: np.ndarray


@dataclass(frozen=True)
class _Way:
    """Of a rigid piece to the next frame: its middle moves by ``shift``, and it turns about it."""

    place: np.ndarray
    shift: np.ndarray
    turn: float

    def back(
        self, x: np.ndarray, y: np.ndarray, share: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where what lies at (x, y) after a share of the way was before it."""
        c, s = np.cos(share * self.turn), np.sin(share * self.turn)
        dx = x - self.place[0] - share * self.shift[0]
        dy = y - self.place[1] - share * self.shift[1]
        return self.place[0] + c * dx + s * dy, self.place[1] - s * dx + c * dy


def _found(frame: np.ndarray, plate: np.ndarray) -> list[_Piece]:
    """Every moving piece."""
    count, labels, boxes, centres = cv2.connectedComponentsWithStats(
        _moving(frame, plate).astype(np.uint8), connectivity=8
    )
    pieces = []
    for k in range(1, count):
        grown = cv2.dilate((labels == k).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        difference = np.where(grown[..., None], frame - plate, 0.0).astype(np.float32)
        pieces.append(_Piece(centres[k], float(boxes[k, 4]), difference))
    return pieces


def _way(piece: _Piece, others: list[_Piece]) -> _Way | None:
    """From a piece to the nearest one of its size; None where there is none."""
    alike = [one for one in others if 0.7 * piece.area < one.area < 1.4 * piece.area]
    if not alike:
        return None
    next_one = min(alike, key=lambda one: float(np.hypot(*(one.place - piece.place))))
    shift, turn = next_one.place - piece.place, _turn(piece, next_one)
    return _Way(piece.place, shift, turn)


def _turn(piece: _Piece, other: _Piece) -> float:
    """Radians by which the outline of a piece turns to the next one's: those of least difference
    when both lie on each other with their middles."""
    here, there = (np.abs(one.picture).max(-1) for one in (piece, other))
    x, y = _grid(here)

    def apart(turn: float) -> float:
        way = _Way(piece.place, other.place - piece.place, turn)
        return float(np.square(_taken(here, *way.back(x, y, 1.0)) - there).sum())

    if piece.area > _ROUND * _square(piece):
        return 0.0
    turns = np.linspace(-_FASTEST, _FASTEST, 17)
    near = min(turns, key=apart)
    step = turns[1] - turns[0]
    found = minimize_scalar(apart, bounds=(near - step, near + step), method="bounded")
    return float(found.x)


def _square(piece: _Piece) -> float:
    """Area of the smallest circle around a piece."""
    ys, xs = np.nonzero(np.abs(piece.picture).max(-1) > _NOTICED)
    _, radius = cv2.minEnclosingCircle(np.stack([xs, ys], 1).astype(np.float32))
    return float(np.pi * radius**2)


def _grid(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    return x, y


def _taken(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The picture at these places."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR))


def _bytes(pictures: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pictures), 0, 255).astype(np.uint8)
