"""Measuring what a part looks like: which flat shape explains a region, with what size; or a sprite
cut out of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.perception.appearance import (
    corners_of,
    cover_at_size,
    informative_pixels,
    picture_at,
    thinned,
    with_sizes,
)
from tools.perception.background import differs, threshold
from tools.perception.parts import Appearance
from tools.perception.pose import (
    DIM,
    LUMA,
    Fit,
    View,
    contrasts,
    gauss_newton,
    locate_size,
    view,
)
from tools.perception.segmentation import Region, homogeneous, moments

_FINE = 4
"""Enlargement at which outlines are traced."""
MARKS = 0.25
"""Share of a cut-out up to which something of another colour inside it is a mark on it."""
_OFF = (0.6, 0.9)
"""Pixels by which corners may miss an outline: the next where the one before leaves too many."""
PLAIN = 0.2
"""Misfit in pixels up to which a disk or box is not worth an outline with more corners (which costs
a hundred times the time)."""
ROUND = 6.0
"""Radius in pixels from which what a disk explains is no box: one would be off by half a pixel."""
COMPLETE = 0.2
"""Disagreeing pixels per pixel of outline below which a region is taken for the whole of a disk or
box."""
MOST_CORNERS = 40
"""Corners of an outline at most: what has more is no flat shape but a drawing, and dear to
place."""
SLACK = 0.06
"""Pixels by which a simpler shape may explain an outline worse."""


def flat_colour(
    frame: np.ndarray, region: Region, noise: float = 0.0
) -> tuple[float, float, float]:
    """Median colour (RGB, 0 to 255) of a region of a frame (H, W, 3), of its flat interior when it
    has one. noise: of the pixels, in grey levels."""
    x0, y0, x1, y1 = region.box
    window = frame[y0:y1, x0:x1]
    inner = region.mask & cv2.erode(
        np.pad(region.mask, 1).astype(np.uint8), np.ones((3, 3), np.uint8)
    )[1:-1, 1:-1].astype(bool)
    inner &= homogeneous(window, noise)
    chosen = inner if inner.sum() >= 4 else region.mask
    return _rgb(np.median(window[chosen], axis=0))


def _rgb(colour: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in colour)
    return red, green, blue


def fit_look(
    appearance: Appearance,
    pose,
    frame: np.ndarray,
    plate: np.ndarray,
    weight: np.ndarray | None = None,
    soften: bool = True,
) -> tuple[Appearance, np.ndarray, float]:
    """Fit pose, size and edge softness of a disk or box together: (look, pose (3,), rms error in
    grey levels near its outline)."""
    found, fit = locate_size(
        appearance, np.asarray(pose, np.float64), view(frame, plate, weight), soften=soften
    )
    return found, fit.x, fit.error


@dataclass(frozen=True)
class Guess:
    """One explanation of a region. misfit: root mean square distance (pixels) by which the outline
    is off, as the colour errors near it say: sqrt(sum of squared errors / contrast^2 / length of
    the outline)."""

    appearance: Appearance
    pose: np.ndarray
    misfit: float


def choose_look(region: Region, colour, seen: View, noise: float, kind: str | None = None) -> Guess:
    """The simplest flat shape that explains a region of one colour about as well as any: disk, box,
    then polygon.

    seen: the picture around the region; its ``free`` leaves out what hides the part. ``kind``
    forces a shape. A hollow region, which no outline explains, comes back with a large misfit.
    """
    blocked = hidden(region, seen)
    if blocked.any() and _complete(region, colour):
        blocked = np.zeros_like(blocked)
    guesses: list[Guess] = []
    for shape in ("disk", "box", "polygon"):
        first = mask_guess(region, blocked, colour, shape) if kind in (None, shape) else None
        if first is not None:
            guesses.append(_measured(*first[:2], region, seen, noise))
            round_ = shape == "disk" and first[0].size[0] > ROUND and not blocked.any()
            plain = PLAIN if shape == "box" or round_ else SLACK
            if min(guess.misfit for guess in guesses) <= plain:
                break
    if not guesses:
        return choose_look(region, colour, seen, noise, "box")
    best = min(guesses, key=lambda guess: guess.misfit)
    slack = (
        SLACK if best.appearance.width > 0.6 else 2.5 * SLACK
    )  # many corners explain the staircase of a hard edge
    return next(guess for guess in guesses if guess.misfit <= 1.25 * best.misfit + slack)


def _complete(region: Region, colour) -> bool:
    """Is the region as it stands a disk or a box? Then nothing hides it, whatever lies around
    it."""
    nothing = np.zeros((region.box[3] + 4, region.box[2] + 4), bool)
    found = (mask_guess(region, nothing, colour, shape) for shape in ("disk", "box"))
    return min(guess[2] for guess in found if guess is not None) < COMPLETE


def hidden(region: Region, seen: View) -> np.ndarray:
    """bool (H, W): where something hides the part, asked for only around its region."""
    blocked = np.zeros(seen.shape, bool)
    x0, y0, x1, y1 = region.box
    ys, xs = np.mgrid[
        max(0, y0 - 4) : min(seen.shape[0], y1 + 4), max(0, x0 - 4) : min(seen.shape[1], x1 + 4)
    ]
    blocked[ys.ravel(), xs.ravel()] = ~seen.free(xs.ravel().astype(float), ys.ravel().astype(float))
    return blocked


def _measured(
    appearance: Appearance, pose: np.ndarray, region: Region, seen: View, noise: float
) -> Guess:
    """Fit a guess to the picture and say how far it is off."""
    if appearance.shape == "polygon":
        appearance, pose = refine_outline(appearance, [pose], [seen]), pose
    else:
        px, py = informative_pixels(appearance, pose, seen.shape, 1.0, 400)
        trial, fit = (
            locate_size(appearance, pose, seen)
            if seen.free(px, py).mean() > 0.3
            else (appearance, Fit(pose, np.inf, np.zeros((0, 3))))
        )
        if (
            fit.error < np.inf
            and np.hypot(*(fit.x[:2] - pose[:2])) < 0.5 * appearance.bounding_radius + 3
        ):
            appearance, pose = trial, fit.x
    return Guess(appearance, pose, outline_misfit(appearance, pose, region, seen, noise))


def outline_misfit(
    appearance: Appearance, pose: np.ndarray, region: Region, seen: View, noise: float
) -> float:
    """See Guess.misfit; pixel noise is taken off."""
    x0, y0, x1, y1 = region.box
    ys, xs = np.mgrid[
        max(0, y0 - 3) : min(seen.shape[0], y1 + 3), max(0, x0 - 3) : min(seen.shape[1], x1 + 3)
    ]
    px, py = xs.ravel().astype(float), ys.ravel().astype(float)
    if len(px) > 20000:
        chosen = thinned(len(px), 20000)
        px, py = px[chosen], py[chosen]
    share = len(px) / xs.size
    px, py, target, ground = seen.pick(px, py)
    contrast = np.linalg.norm(np.asarray(appearance.colour) - ground, axis=1)
    error = picture_at(appearance, pose, px, py, ground, appearance.width) - target
    squared = (error**2).sum(1)
    if seen.luma:
        bright = np.abs((np.asarray(appearance.colour) - ground) @ LUMA)
        squared = np.where(bright > DIM, (error @ LUMA) ** 2, squared)
        contrast = np.where(bright > DIM, bright, contrast)
    level = np.maximum(contrast, 20.0) ** 2
    if seen.luma:  # a codec's noise lies at edges
        squares = np.minimum(np.maximum(squared - 3 * noise**2, 0) / level, 1.0).sum()
    else:  # noise that is the same everywhere falls below its mean as well
        squares = np.maximum((np.minimum(squared / level, 1.0) - 3 * noise**2 / level).sum(), 0.0)
    outline = (
        2 * np.pi * appearance.size[0]
        if appearance.shape == "disk"
        else float(
            np.hypot(
                *np.diff(
                    corners_of(appearance, pose), axis=0, append=corners_of(appearance, pose)[:1]
                ).T
            ).sum()
        )
    )
    return float(np.sqrt(squares / share / max(outline, 8.0)))


def refine_outline(
    appearance: Appearance, poses: Sequence[np.ndarray], views: Sequence[View], spare: float = 0.2
) -> Appearance:
    """Move a polygon's corners to where the pictures want them, all views together; corners that
    say nothing are dropped.

    A weak pull holds each corner where it is: along a straight edge nothing else would. spare:
    pixels by which the outline may change when a corner is dropped.
    """
    appearance = _without_spare(_moved(appearance, poses, views), spare)
    return _without_spare(_moved(appearance, poses, views), spare)


def _moved(
    appearance: Appearance, poses: Sequence[np.ndarray], views: Sequence[View], limit: int = 2000
) -> Appearance:
    """One fit of all corners and the edge softness, poses fixed."""
    lists = []
    for pose, seen in zip(poses, views, strict=True):
        px, py, target, ground = seen.pick(
            *informative_pixels(appearance, pose, seen.shape, 2.5, limit // len(views) + 200)
        )
        lists.append((pose, px, py, *contrasts(appearance.colour, target, ground)))
    start = np.append(appearance.corners.ravel(), appearance.width)
    contrast = float(np.median(np.concatenate([item[3] for item in lists] or [np.array([100.0])])))
    pull = 0.03 * contrast * np.sqrt(sum(len(item[1]) for item in lists) / max(len(start), 1) / 8)

    def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        trial = with_sizes(appearance, x[:-1], float(np.clip(x[-1], 0.3, 8.0)))
        residuals, slopes = [pull * (x - start)], [pull * np.eye(len(x))]
        for pose, px, py, strength, seen in lists:
            alpha, by = cover_at_size(trial, pose, px, py)
            residuals.append(strength * alpha - seen)
            slopes.append(strength[:, None] * by[:, 3:])
        return np.concatenate(residuals), np.concatenate(slopes)

    fit = gauss_newton(model, start, np.append(np.full(len(start) - 1, 1.0), 0.5), iterations=8)
    return with_sizes(appearance, fit.x[:-1], float(np.clip(fit.x[-1], 0.3, 8.0)))


def _without_spare(appearance: Appearance, spare: float) -> Appearance:
    """Drop corners one by one that lie within ``spare`` pixels of the line between their
    neighbours."""
    points = appearance.corners
    while len(points) > 3:
        before, after = np.roll(points, 1, 0), np.roll(points, -1, 0)
        chord = after - before
        length = np.maximum(np.hypot(*chord.T), 1e-9)
        height = (
            np.abs(chord[:, 0] * (points - before)[:, 1] - chord[:, 1] * (points - before)[:, 0])
            / length
        )
        k = int(np.argmin(height))
        if height[k] > spare:
            break
        points = np.delete(points, k, 0)
    return replace(appearance, outline=points)


def sprite_look(
    frame: np.ndarray, plate: np.ndarray, region: Region, noise: float = 0.0
) -> tuple[Appearance, np.ndarray]:
    """Cut a region out of a frame as a sprite with a soft matte: (look, pose)."""
    pad = 3
    x0, y0 = max(0, region.box[0] - pad), max(0, region.box[1] - pad)
    x1, y1 = min(frame.shape[1], region.box[2] + pad), min(frame.shape[0], region.box[3] + pad)
    window, ground = frame[y0:y1, x0:x1].astype(np.float32), plate[y0:y1, x0:x1].astype(np.float32)
    solid = np.zeros(window.shape[:2], np.uint8)
    solid[region.box[1] - y0 : region.box[3] - y0, region.box[0] - x0 : region.box[2] - x0] = (
        region.mask
    )
    closed = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    solid = _filled(closed, differs(window, ground, threshold(noise)))
    inner = cv2.erode(np.pad(solid, 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    alpha, colour = _matte(window, ground, solid, inner, threshold(noise))
    _, x, y, _, _ = moments(solid.astype(np.float32))
    sprite, centre = _centred(np.dstack([colour / 255.0, alpha]).astype(np.float32), x, y)
    return Appearance(
        "sprite", _rgb(np.median(window[solid > 0], axis=0)), (), None, sprite
    ), np.array([x0 + centre[0], y0 + centre[1], 0.0])


def _filled(solid: np.ndarray, foreign: np.ndarray) -> np.ndarray:
    """Close small holes: texture that happens to look like the plate; and larger ones in which
    something else is seen than the plate: marks. Other large ones (5% of the area) show what lies
    behind. foreign: bool (H, W), where the picture is not the plate."""
    contours, tree = cv2.findContours(solid, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    area, out = int(solid.sum()), solid.copy()
    for contour, links in zip(contours, tree[0] if tree is not None else (), strict=True):
        if links[3] < 0:
            continue
        hole = cv2.drawContours(np.zeros_like(solid), [contour], -1, 1, cv2.FILLED)
        inside = (hole > 0) & (solid == 0)
        size = cv2.contourArea(contour)
        if size < 0.05 * area or (size < MARKS * area and foreign[inside].mean() > 0.5):
            out |= hole
    return out


def _matte(window, ground, solid, inner, level) -> tuple[np.ndarray, np.ndarray]:
    """Alpha and straight colour: 1 inside; on the one-pixel rim the share of the nearest inner
    colour over the ground."""
    if not inner.any():
        return solid.astype(np.float32), window
    source = np.where(inner[..., None] > 0, window, 0.0)
    weight = cv2.blur(inner.astype(np.float32), (5, 5))
    colour = np.where(
        inner[..., None] > 0, window, cv2.blur(source, (5, 5)) / np.maximum(weight, 1e-6)[..., None]
    )
    contrast = colour - ground
    power = (contrast**2).sum(-1)
    share = np.clip(((window - ground) * contrast).sum(-1) / np.maximum(power, 1.0), 0, 1)
    rim = (cv2.dilate(solid, np.ones((3, 3), np.uint8)) > 0) & (inner == 0) & (weight > 0)
    alpha = np.where(inner > 0, 1.0, np.where(rim, np.where(power > level**2, share, solid), 0.0))
    return alpha.astype(np.float32), colour


def _centred(sprite: np.ndarray, x: float, y: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Pad so that the whole-pixel centre nearest (x, y) is the sprite's middle: (sprite, centre in
    the old window)."""
    h, w = sprite.shape[:2]
    cx, cy = round(x), round(y)
    reach_x, reach_y = max(cx, w - 1 - cx), max(cy, h - 1 - cy)
    padded = np.pad(
        sprite,
        ((reach_y - cy, reach_y - (h - 1 - cy)), (reach_x - cx, reach_x - (w - 1 - cx)), (0, 0)),
    )
    return padded, (cx, cy)


def guess_look(
    region: Region, blocked: np.ndarray, colour, kind: str | None = None
) -> tuple[Appearance, np.ndarray]:
    """First idea of a flat look from a binary region: (look, pose (3,)).

    blocked: bool (H, W), pixels where something else may hide the part; they are not held against a
    shape. The simplest shape whose outline disagrees with the region by little more than the best
    one's is taken; ``kind`` forces one (a region too small for a polygon becomes a box).
    """
    guesses = [
        g
        for g in (
            mask_guess(region, blocked, colour, k)
            for k in ("disk", "box", "polygon")
            if kind in (None, k)
        )
        if g
    ]
    if not guesses:
        box = mask_guess(region, blocked, colour, "box")
        assert box is not None, "every region has a box"
        guesses = [box]
    best = min(mismatch for _, _, mismatch in guesses)
    appearance, pose, _ = next(g for g in guesses if g[2] <= best + 0.22)
    return appearance, pose


def mask_guess(
    region: Region, blocked: np.ndarray, colour, kind: str
) -> tuple[Appearance, np.ndarray, float] | None:
    """(look, pose, disagreeing pixels per pixel of outline) of one kind of shape; None when the
    region has no such shape."""
    x0, y0, x1, y1 = region.box
    pad = 4
    known = np.zeros((y1 - y0 + 2 * pad, x1 - x0 + 2 * pad), bool)
    known[pad:-pad, pad:-pad] = region.mask
    free = np.zeros(known.shape, bool)
    rows, columns = (
        slice(max(0, y0 - pad), min(blocked.shape[0], y1 + pad)),
        slice(max(0, x0 - pad), min(blocked.shape[1], x1 + pad)),
    )
    oy, ox = y0 - pad, x0 - pad
    free[rows.start - oy : rows.stop - oy, columns.start - ox : columns.stop - ox] = ~blocked[
        rows, columns
    ]
    found = _guess(kind, known, free | known, colour)
    return None if found is None else (found[0], found[1] + (ox, oy, 0.0), found[2])


def _guess(
    kind: str, known: np.ndarray, free: np.ndarray, colour
) -> tuple[Appearance, np.ndarray, float] | None:
    """(look, pose in the window, disagreeing free pixels per pixel of outline)."""
    contours, _ = cv2.findContours(known.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)
    if kind == "disk":
        appearance, pose = _guess_disk(known, free, contour, colour)
    elif kind == "box":
        (x, y), (w, h), degrees = cv2.minAreaRect(contour)
        if w < h:
            w, h, degrees = h, w, degrees + 90
        appearance, pose = (
            Appearance("box", colour, (w + 1.0, h + 1.0)),
            np.array([x, y, np.radians((degrees + 90) % 180 - 90)]),
        )
    else:
        polygon = _guess_polygon(known, colour)
        if polygon is None:
            return None
        appearance, pose = polygon
    layer = appearance.cover(known.shape, pose)
    if layer is None:
        return None
    drawn = np.zeros(known.shape, bool)
    drawn[layer[1] : layer[1] + layer[2].shape[0], layer[0] : layer[0] + layer[2].shape[1]] = (
        layer[2] > 0.5
    )
    outline = max(8.0, cv2.arcLength(contour, True))
    return appearance, pose, float(((drawn ^ known) & free).sum()) / outline


def _guess_disk(known, free, contour, colour) -> tuple[Appearance, np.ndarray]:
    """Least-squares circle through the outline where nothing hides it (Kasa), robust by one
    trimming."""
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
    return Appearance("disk", colour, (float(radius) + 0.4,)), np.array([x, y, 0.0])


def _guess_polygon(known, colour) -> tuple[Appearance, np.ndarray] | None:
    fine = cv2.resize(
        cv2.GaussianBlur(known.astype(np.float32), (0, 0), 0.7),
        None,
        fx=_FINE,
        fy=_FINE,
        interpolation=cv2.INTER_LINEAR,
    )
    contours, _ = cv2.findContours(
        (fine > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    contour = max(contours, key=len, default=None)
    if contour is None or len(contour) < 4:
        return None
    for off in _OFF:  # the edge of a thin slanted rod is a staircase
        points = (cv2.approxPolyDP(contour, off * _FINE, True)[:, 0] + 0.5) / _FINE - 0.5
        if len(points) <= MOST_CORNERS:
            break
    if not 3 <= len(points) <= MOST_CORNERS:
        return None
    _, x, y, _, _ = moments(known.astype(np.float32))
    return Appearance("polygon", colour, (), points - (x, y)), np.array([x, y, 0.0])
