"""Measuring what a part looks like: which flat shape explains a region, with what size; or a sprite cut out of frames."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tools.perception.background import threshold
from tools.perception.parts import Look
from tools.perception.pose import compose, crop, gauss_newton
from tools.perception.segmentation import Region, homogeneous, moments


def flat_colour(frame: np.ndarray, region: Region, noise: float = 0.0) -> tuple[float, float, float]:
    """Median colour of a region, of its flat interior when it has one."""
    x0, y0, x1, y1 = region.box
    window = frame[y0:y1, x0:x1]
    inner = region.mask & cv2.erode(np.pad(region.mask, 1).astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1].astype(bool)
    inner &= homogeneous(window, noise)
    chosen = inner if inner.sum() >= 4 else region.mask
    return tuple(float(v) for v in np.median(window[chosen], axis=0))


def fit_look(look: Look, pose, frame: np.ndarray, plate: np.ndarray, weight: np.ndarray | None = None,
             soften: bool = True) -> tuple[Look, np.ndarray, float]:
    """Fit pose, size and edge softness of a disk or box together: (look, pose (3,), rms error in grey levels)."""
    window = crop(frame.shape[:2], pose[0], pose[1], 1.3 * look.reach + 6)
    target, ground = frame[window].astype(np.float32), plate[window].astype(np.float32)
    origin = (window[1].start, window[0].start)
    keep = None if weight is None else weight[window].ravel()
    free = 3 if look.turns else 2
    sizes = len(look.size)

    def unpack(x: np.ndarray) -> tuple[Look, np.ndarray]:
        size = tuple(float(v) for v in np.maximum(x[free : free + sizes], 0.3))
        width = float(np.clip(x[-1], 0.6, 6.0)) if soften else look.width
        return replace(look, size=size, width=width), np.array([x[0], x[1], x[2] if free == 3 else 0.0])

    def residual(x: np.ndarray) -> np.ndarray:
        trial, at = unpack(x)
        difference = (compose(trial, at, ground, origin) - target).reshape(-1, 3)
        return (difference if keep is None else difference[keep]).ravel().astype(np.float64)

    start = [*pose[:free], *look.size] + ([look.width] if soften else [])
    steps = [0.25, 0.25, *([0.3 / max(look.reach, 2.0)] if free == 3 else []), *([0.25] * sizes)] + ([0.15] if soften else [])
    fit = gauss_newton(residual, np.array(start, np.float64), np.array(steps), iterations=25)
    found, at = unpack(fit.x)
    return found, at, fit.error


def sprite_look(frame: np.ndarray, plate: np.ndarray, region: Region, noise: float = 0.0) -> tuple[Look, np.ndarray]:
    """Cut a region out of a frame as a sprite with a soft matte: (look, pose)."""
    pad = 3
    x0, y0 = max(0, region.box[0] - pad), max(0, region.box[1] - pad)
    x1, y1 = min(frame.shape[1], region.box[2] + pad), min(frame.shape[0], region.box[3] + pad)
    window, ground = frame[y0:y1, x0:x1].astype(np.float32), plate[y0:y1, x0:x1].astype(np.float32)
    solid = np.zeros(window.shape[:2], np.uint8)
    solid[region.box[1] - y0 : region.box[3] - y0, region.box[0] - x0 : region.box[2] - x0] = region.mask
    solid = _filled(cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)))
    inner = cv2.erode(np.pad(solid, 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    alpha, colour = _matte(window, ground, solid, inner, threshold(noise))
    _, x, y, _, _ = moments(solid.astype(np.float32))
    sprite, centre = _centred(np.dstack([colour / 255.0, alpha]).astype(np.float32), x, y)
    return Look("sprite", tuple(float(v) for v in np.median(window[solid > 0], axis=0)), (), None, sprite), np.array([x0 + centre[0], y0 + centre[1], 0.0])


def _filled(solid: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(solid), contours, -1, 1, cv2.FILLED)


def _matte(window, ground, solid, inner, level) -> tuple[np.ndarray, np.ndarray]:
    """Alpha and straight colour: 1 inside; on the one-pixel rim the share of the nearest inner colour over the ground."""
    if not inner.any():
        return solid.astype(np.float32), window
    source = np.where(inner[..., None] > 0, window, 0.0)
    weight = cv2.blur(inner.astype(np.float32), (5, 5))
    colour = np.where(inner[..., None] > 0, window, cv2.blur(source, (5, 5)) / np.maximum(weight, 1e-6)[..., None])
    contrast = colour - ground
    power = (contrast**2).sum(-1)
    share = np.clip(((window - ground) * contrast).sum(-1) / np.maximum(power, 1.0), 0, 1)
    rim = (cv2.dilate(solid, np.ones((3, 3), np.uint8)) > 0) & (inner == 0) & (weight > 0)
    alpha = np.where(inner > 0, 1.0, np.where(rim, np.where(power > level**2, share, solid), 0.0))
    return alpha.astype(np.float32), colour


def _centred(sprite: np.ndarray, x: float, y: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Pad so that the whole-pixel centre nearest (x, y) is the sprite's middle: (sprite, centre in the old window)."""
    h, w = sprite.shape[:2]
    cx, cy = round(x), round(y)
    reach_x, reach_y = max(cx, w - 1 - cx), max(cy, h - 1 - cy)
    padded = np.pad(sprite, ((reach_y - cy, reach_y - (h - 1 - cy)), (reach_x - cx, reach_x - (w - 1 - cx)), (0, 0)))
    return padded, (cx, cy)


def guess_look(region: Region, blocked: np.ndarray, colour, kind: str | None = None) -> tuple[Look, np.ndarray]:
    """First idea of a flat look from a binary region: (look, pose (3,)).

    blocked: bool (H, W), pixels where something else may hide the part; they are not held against a shape. The simplest
    shape whose outline disagrees with the region by little more than the best one's is taken; ``kind`` forces one.
    """
    x0, y0, x1, y1 = region.box
    pad = 4
    known = np.zeros((y1 - y0 + 2 * pad, x1 - x0 + 2 * pad), bool)
    known[pad:-pad, pad:-pad] = region.mask
    free = np.ones(known.shape, bool)
    rows, columns = slice(max(0, y0 - pad), min(blocked.shape[0], y1 + pad)), slice(max(0, x0 - pad), min(blocked.shape[1], x1 + pad))
    oy, ox = y0 - pad, x0 - pad
    free[rows.start - oy : rows.stop - oy, columns.start - ox : columns.stop - ox] = ~blocked[rows, columns]
    outside = np.ones(known.shape, bool)
    outside[rows.start - oy : rows.stop - oy, columns.start - ox : columns.stop - ox] = False
    free = (free | known) & ~outside
    guesses = [g for g in (_guess(k, known, free, colour) for k in ("disk", "box", "polygon") if kind in (None, k)) if g]
    best = min(mismatch for _, _, mismatch in guesses)
    look, pose, _ = next(g for g in guesses if g[2] <= best + 0.22)
    return look, pose + (ox, oy, 0.0)


def _guess(kind: str, known: np.ndarray, free: np.ndarray, colour) -> tuple[Look, np.ndarray, float] | None:
    """(look, pose in the window, disagreeing free pixels per pixel of outline)."""
    contours, _ = cv2.findContours(known.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)
    if kind == "disk":
        look, pose = _guess_disk(known, free, contour, colour)
    elif kind == "box":
        (x, y), (w, h), degrees = cv2.minAreaRect(contour)
        if w < h:
            w, h, degrees = h, w, degrees + 90
        look, pose = Look("box", colour, (w + 1.0, h + 1.0)), np.array([x, y, np.radians((degrees + 90) % 180 - 90)])
    else:
        look, pose = _guess_polygon(known, colour)
        if look is None:
            return None
    layer = look.cover(known.shape, pose)
    if layer is None:
        return None
    drawn = np.zeros(known.shape, bool)
    drawn[layer[1] : layer[1] + layer[2].shape[0], layer[0] : layer[0] + layer[2].shape[1]] = layer[2] > 0.5
    outline = max(8.0, cv2.arcLength(contour, True))
    return look, pose, float(((drawn ^ known) & free).sum()) / outline


def _guess_disk(known, free, contour, colour) -> tuple[Look, np.ndarray]:
    """Least-squares circle through the outline where nothing hides it (Kasa), robust by one trimming."""
    points = contour[:, 0].astype(np.float64)
    around = cv2.erode(free.astype(np.uint8), np.ones((3, 3), np.uint8))
    open_edge = around[contour[:, 0, 1], contour[:, 0, 0]] > 0
    points = points[open_edge] if open_edge.sum() >= 8 else points
    for _ in range(2):
        design = np.column_stack([2 * points, np.ones(len(points))])
        (x, y, c), *_ = np.linalg.lstsq(design, (points**2).sum(1), rcond=None)
        radius = np.sqrt(max(c + x * x + y * y, 0.25))
        off = np.abs(np.hypot(*(points - (x, y)).T) - radius)
        if len(points) >= 16:
            points = points[off <= max(1.0, np.quantile(off, 0.9))]
    return Look("disk", colour, (float(radius) + 0.4,)), np.array([x, y, 0.0])


def _guess_polygon(known, colour) -> tuple[Look | None, np.ndarray | None]:
    from skimage.measure import approximate_polygon, find_contours

    smooth = cv2.GaussianBlur(known.astype(np.float32), (0, 0), 0.7)
    contour = max(find_contours(smooth, 0.5), key=len, default=None)
    if contour is None or len(contour) < 4:
        return None, None
    points = approximate_polygon(contour, 0.6)[:-1, ::-1]
    if len(points) < 3:
        return None, None
    _, x, y, _, _ = moments(known.astype(np.float32))
    return Look("polygon", colour, (), points - (x, y)), np.array([x, y, 0.0])
