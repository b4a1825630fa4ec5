"""One picture with a matte for a body in all frames, and its place in each: estimated in turns.

The composite at a pixel p of frame t is ``I = (1 - a(q)) B(p) + F(q)`` with q = p seen from the
body, B what lies behind, a the matte and F its colour times the matte. Over frames of known pose
this is a straight line in B per pixel of the body: a and F are its slope and offset, where B
varies. Poses follow by Gauss-Newton on the same equation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

_ALIKE = 10.0
"""Grey levels of variation behind a body below which its matte is read from its contrast instead.
"""
_OPAQUE = 20.0
"""How much more the inside of an outline is taken to be opaque: light that changes from place to
place looks like glass."""
_FAINT = 0.04
"""Least matte."""
_INSIDE = 0.4
"""Share of the usual contrast from which a pixel belongs to the body's inside."""
_COARSE = 900
"""Pixels of a sprite above which poses are looked for at a coarser scale."""
_SHOWN = 0.35
"""Share of a body's matte that must lie in the picture before a pose counts as found."""
_STEP = 2.0
"""Longest Gauss-Newton step in pixels."""


@dataclass(frozen=True)
class Sprite:
    """layers: (h, w, 4) float32, colour times matte in grey levels, then the matte in [0, 1]; the
    middle of the array is the body's place."""

    layers: np.ndarray = field(repr=False)

    @property
    def matte(self) -> np.ndarray:
        return self.layers[..., 3]

    @cached_property
    def blank(self) -> bool:
        """Whether there is nothing to be seen."""
        return not self.matte.any()

    @property
    def scale(self) -> int:
        """Pixels that count as one while poses are looked for."""
        return max(1, round((self.matte.size / _COARSE) ** 0.5))

    @cached_property
    def soft(self) -> np.ndarray:
        """The layers averaged over ``scale`` x ``scale`` pixels."""
        return self.layers if self.scale == 1 else cv2.blur(self.layers, (self.scale, self.scale))

    @cached_property
    def reach(self) -> float:
        """Radius in pixels of the circle around the middle that holds the opaque part."""
        rows, columns = np.nonzero(self.matte > 0.3)
        if not len(rows):
            return 1.0
        h, w = self.matte.shape
        return float(np.hypot(rows - (h - 1) / 2, columns - (w - 1) / 2).max()) + 0.5

    def straight(self) -> np.ndarray:
        """(h, w, 4) float32 in [0, 1]: colour and matte as tools.types.Scene keeps sprites."""
        colour = self.layers[..., :3] / (255.0 * np.maximum(self.matte, 1e-4))[..., None]
        return np.dstack([np.clip(colour, 0, 1), self.matte]).astype(np.float32)


def forward(
    pose: Sequence[float] | np.ndarray, shape: tuple[int, ...], corner: tuple[int, int]
) -> np.ndarray:
    """(2, 3) map from pixels of a sprite of ``shape`` to pixels of a window whose corner is (x0,
    y0)."""
    x, y, angle = pose
    c, s = np.cos(angle), np.sin(angle)
    cx, cy = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    return np.array(
        [[c, -s, x - corner[0] - c * cx + s * cy], [s, c, y - corner[1] - s * cx - c * cy]]
    )


def placed(
    sprite: Sprite, pose: Sequence[float] | np.ndarray, window: tuple[slice, slice]
) -> np.ndarray:
    """The sprite's layers as they lie over a window (rows, columns) of the picture, (h, w, 4)."""
    move = forward(pose, sprite.layers.shape, (window[1].start, window[0].start))
    size = (window[1].stop - window[1].start, window[0].stop - window[0].start)
    return cv2.warpAffine(
        sprite.layers, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )


def window_of(
    pose: Sequence[float] | np.ndarray,
    half: tuple[float, float],
    shape: tuple[int, ...],
    pad: float = 2.0,
) -> tuple[slice, slice] | None:
    """The part of a picture around a pose; None where less than a few pixels of it are in view."""
    x, y, angle = pose
    c, s = abs(np.cos(angle)), abs(np.sin(angle))
    rx, ry = c * half[0] + s * half[1] + pad, s * half[0] + c * half[1] + pad
    x0, y0 = max(0, int(np.floor(x - rx))), max(0, int(np.floor(y - ry)))
    x1, y1 = min(shape[1], int(np.ceil(x + rx)) + 1), min(shape[0], int(np.ceil(y + ry)) + 1)
    return (slice(y0, y1), slice(x0, x1)) if x1 - x0 > 3 and y1 - y0 > 3 else None


Behind = Callable[[int, tuple[slice, slice]], np.ndarray]
"""(frame number, window) -> what lies behind the body there, (h, w, 3) float32."""


def picture(
    frames: np.ndarray,
    behind: Behind,
    times: Sequence[int],
    poses: np.ndarray,
    half: tuple[float, float],
    noise: float,
) -> Sprite:
    """The sprite (2 half + 1 wide and high) that explains the frames ``times`` at ``poses`` (n, 3)
    best."""
    w, h = (2 * int(np.ceil(v)) + 1 for v in half)
    views, grounds, inside = [], [], []
    for t, pose in zip(times, poses, strict=True):
        window = window_of(pose, (w / 2, h / 2), frames.shape[1:3])
        if window is None:
            continue
        move = forward(pose, (h, w), (window[1].start, window[0].start))
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        ground = behind(t, window)
        views.append(
            cv2.warpAffine(
                frames[t][window].astype(np.float32),
                move,
                (w, h),
                flags=flags,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
        grounds.append(
            cv2.warpAffine(ground, move, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        )
        seen = np.ones(ground.shape[:2], np.float32)
        inside.append(
            cv2.warpAffine(seen, move, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP) > 0.99
        )
    if not views:
        return Sprite(np.zeros((h, w, 4), np.float32))
    return _solved(
        np.stack(views) - np.stack(grounds),
        np.stack(grounds),
        np.stack(inside).astype(np.float32),
        noise,
    )


def _solved(difference: np.ndarray, ground: np.ndarray, weight: np.ndarray, noise: float) -> Sprite:
    """Slope and offset of every pixel's line over the frames, robustly."""
    shape = difference.shape[1:3]
    matte, colour = np.zeros(shape), np.zeros((*shape, 3))
    for _ in range(3):
        total = np.maximum(weight.sum(0), 1e-3)
        d = np.einsum("nhwc,nhw->hwc", difference, weight) / total[..., None]
        b = np.einsum("nhwc,nhw->hwc", ground, weight) / total[..., None]
        covariance = np.einsum("nhwc,nhwc,nhw->hw", difference - d, ground - b, weight)
        variance = np.einsum("nhwc,nhwc,nhw->hw", ground - b, ground - b, weight)
        guess = _by_contrast(d, noise, len(weight))
        pull = 3 * total * _ALIKE**2 * np.where(guess > 0.95, _OPAQUE, 1.0)
        matte = np.clip((pull * guess - covariance) / (pull + variance), 0.0, 1.0)
        matte[(guess < _FAINT) | (matte < _FAINT)] = 0.0
        matte = _lifted(matte, d + matte[..., None] * b)
        colour = np.where(matte[..., None] > 0, d + matte[..., None] * b, 0.0)
        rest = np.abs(difference + matte[..., None] * ground - colour).max(-1)
        usual = np.maximum(np.median(rest, axis=0), noise)
        weight = np.where(weight > 0, 1.0 / np.maximum(rest / (3.0 * usual), 1.0) ** 2, 0.0).astype(
            np.float32
        )
    return Sprite(np.dstack([colour, matte]).astype(np.float32))


def _lifted(matte: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The matte raised until no colour is brighter than white."""
    return np.clip(np.where(matte > 0, np.maximum(matte, colour.max(-1) / 255.0), 0.0), 0.0, 1.0)


def _by_contrast(difference: np.ndarray, noise: float, count: int) -> np.ndarray:
    """(h, w) matte of a body before an even ground: 1 inside its outline, its share of the usual
    contrast along it."""
    contrast = np.abs(cv2.GaussianBlur(difference, (0, 0), 0.6)).max(-1)
    floor = 2.5 * noise / max(count, 1) ** 0.5 + 0.6
    strong = contrast[contrast > 2 * floor]
    if not len(strong):
        return np.zeros_like(contrast)
    usual = float(np.quantile(strong, 0.85))
    core = (contrast > max(_INSIDE * usual, floor)).astype(np.uint8)
    core = cv2.morphologyEx(core, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(core, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max((cv2.contourArea(outline) for outline in outlines), default=0.0)
    kept = [outline for outline in outlines if cv2.contourArea(outline) >= 0.1 * largest]
    filled = cv2.drawContours(np.zeros_like(core), kept, -1, 1, cv2.FILLED)
    inside = cv2.erode(filled, np.ones((3, 3), np.uint8)) > 0
    share = np.clip((contrast - floor) / max(usual - floor, 1e-6), 0.0, 1.0)
    return _attached(np.where(inside, 1.0, share).astype(np.float32), filled)


def _attached(share: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """A matte without what does not hang together with the filled outline."""
    count, labels = cv2.connectedComponents((share > _FAINT).astype(np.uint8), connectivity=8)
    held = np.zeros(count, bool)
    held[np.unique(labels[filled > 0])] = True
    held[0] = False
    return np.where(held[labels], share, 0.0)


@dataclass(frozen=True)
class Fit:
    """pose: (3,). left: what remains of the squared difference from the ground, as a share of it,
    over the body's matte. inf where most of it lies outside the picture. spread: (3,) standard
    deviations of the pose; inf where the picture does not say."""

    pose: np.ndarray
    left: float
    spread: np.ndarray


@dataclass(frozen=True)
class Near:
    """A frame around a body, at a scale at which it has few enough pixels. seen, ground: (h, w, 3)
    float32. corner: (x0, y0) in the picture. scale: pixels of the picture per pixel."""

    seen: np.ndarray = field(repr=False)
    ground: np.ndarray = field(repr=False)
    corner: tuple[int, int]
    scale: int

    @classmethod
    def of(
        cls,
        frame: np.ndarray,
        behind: Callable[[tuple[slice, slice]], np.ndarray],
        sprite: Sprite,
        pose: np.ndarray,
    ) -> Near | None:
        """Around ``pose``; None out of view."""
        window = window_of(
            pose, (sprite.layers.shape[1] / 2, sprite.layers.shape[0] / 2), frame.shape, pad=4.0
        )
        if window is None:
            return None
        scale = sprite.scale
        rows, columns = ((side.stop - side.start) // scale * scale for side in window)
        if min(rows, columns) < 3 * scale:
            return None
        window = (
            slice(window[0].start, window[0].start + rows),
            slice(window[1].start, window[1].start + columns),
        )
        size = (columns // scale, rows // scale)
        seen, ground = (
            np.asarray(cv2.resize(side, size, interpolation=cv2.INTER_AREA), np.float32)
            for side in (frame[window].astype(np.float32), behind(window))
        )
        return cls(seen, ground, (window[1].start, window[0].start), scale)

    def layers(self, sprite: Sprite, pose: np.ndarray) -> np.ndarray:
        """The sprite's layers as they lie here, (h, w, 4)."""
        move = forward(pose, sprite.layers.shape, self.corner) / self.scale
        move[:, 2] += 0.5 / self.scale - 0.5
        return cv2.warpAffine(
            sprite.soft,
            move,
            self.seen.shape[1::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )

    def rest(self, layers: np.ndarray) -> np.ndarray:
        """What the layers do not explain."""
        return self.seen - self.ground * (1 - layers[..., 3:]) - layers[..., :3]

    def misfit(self, sprite: Sprite, pose: np.ndarray) -> float:
        """Mean absolute difference that remains within the body, in grey levels times its share of
        the window."""
        layers = self.layers(sprite, pose)
        return float((np.abs(self.rest(layers)) * layers[..., 3:]).mean())


def align(
    near: Near, sprite: Sprite, pose: np.ndarray, noise: float, turns: bool = False, rounds: int = 6
) -> Fit:
    """The pose at which the sprite explains a frame best, from a first guess, by Gauss-Newton."""
    pose = np.array(pose, float)
    count = 3 if turns else 2
    ys, xs = np.mgrid[: near.seen.shape[0], : near.seen.shape[1]].astype(np.float32)
    limit = np.array([_STEP, _STEP, _STEP / max(sprite.reach / near.scale, 2.0)])[:count]
    hessian = np.eye(count)
    layers = near.layers(sprite, pose)
    for _ in range(rounds):
        rest = near.rest(layers)
        gx, gy = (cv2.Sobel(layers, cv2.CV_32F, *d, scale=0.125) for d in ((1, 0), (0, 1)))
        slopes = [near.ground * side[..., 3:] - side[..., :3] for side in (gx, gy)]
        if turns:
            x, y = ((pose[d] - near.corner[d] + 0.5) / near.scale - 0.5 for d in range(2))
            slopes.append(slopes[1] * (xs - x)[..., None] - slopes[0] * (ys - y)[..., None])
        inside = np.abs(rest[layers[..., 3] > 0.3])
        usual = (
            float(np.partition(inside.ravel(), inside.size // 2)[inside.size // 2])
            if inside.size
            else 0.0
        )
        weight = 1.0 / np.maximum(np.abs(rest).ravel() / max(2.0 * usual, 2.0 * noise), 1.0)
        design = np.stack([side.ravel() for side in slopes])
        weighted = design * weight
        hessian = weighted @ design.T + 1e-3 * np.eye(count)
        change = np.clip(np.linalg.solve(hessian, weighted @ rest.ravel()), -limit, limit)
        pose[:count] += change * np.array([near.scale, near.scale, 1.0])[:count]
        layers = near.layers(sprite, pose)
        if np.abs(change).max() < 0.003:
            break
    if layers[..., 3].sum() * near.scale**2 < _SHOWN * sprite.matte.sum():
        return Fit(pose, np.inf, np.full(3, np.inf))
    scales = np.array([near.scale, near.scale, 1.0])[:count]
    return _judged(
        pose,
        near.rest(layers),
        near.seen - near.ground,
        layers[..., 3],
        hessian / np.outer(scales, scales),
        noise,
    )


def _judged(
    pose: np.ndarray,
    rest: np.ndarray,
    change: np.ndarray,
    matte: np.ndarray,
    hessian: np.ndarray,
    noise: float,
) -> Fit:
    weight = matte[..., None]
    before, after = float((weight * change**2).sum()), float((weight * rest**2).sum())
    spread = np.full(3, np.inf)
    usual = max((after / max(3 * float(matte.sum()), 1.0)) ** 0.5, noise)
    spread[: len(hessian)] = usual * np.sqrt(np.maximum(np.diag(np.linalg.inv(hessian)), 0.0))
    return Fit(pose, after / max(before, 1e-6), spread)
