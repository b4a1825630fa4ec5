"""From frames to tracks: find the parts of a scene, or follow declared ones, with sub-pixel poses.

Regions of like colour are linked over time, a look is measured for each chain, and every frame's poses are refined by
analysis by synthesis with the parts drawn over each other in depth order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.perception.background import background, dominant_colour, pixel_noise, threshold
from tools.perception.linking import Chain, link
from tools.perception.looks import fit_look, guess_look, sprite_look
from tools.perception.parts import Look, Part, Track
from tools.perception.pose import compose, crop, fit_pose, own_error
from tools.perception.segmentation import Region, foreground, homogeneous, palette, regions

SMALLEST = 5.0
"""Regions below this many pixels are not looked at."""


@dataclass(frozen=True)
class Tracks:
    """Everything seen in one video. tracks: back to front. front: bool (H, W), fixed structures of the plate that
    hide parts passing behind them."""

    plate: np.ndarray
    noise: float
    tracks: tuple[Track, ...]
    front: np.ndarray

    def __getitem__(self, name: str) -> Track:
        return next(track for track in self.tracks if track.name == name)


def discover(frames: np.ndarray, plate: np.ndarray | None = None, noise: float | None = None) -> Tracks:
    """Find and follow every part of a scene, knowing nothing: frames (T, H, W, 3) uint8 -> Tracks.

    Parts are named by shape and order of size: ``disk_1``, ``box_1``, ``sprite_1`` ...
    """
    noise = pixel_noise(frames) if noise is None else noise
    plate = background(frames, noise) if plate is None else plate
    wholes = _sprite_chains(frames, plate, noise)
    colours = [c for c, share in palette(_without(frames, plate, wholes), plate, noise) if share > 0.01]
    chains = [(None, chain) for chain in wholes]
    for colour, found in _colour_chains(frames, plate, noise, colours, wholes):
        chains += [(colour, chain) for chain in found]
    return follow(frames, plate, noise, chains, None)


def track(frames: np.ndarray, parts: Sequence[Part], plate: np.ndarray | None = None, noise: float | None = None) -> Tracks:
    """Follow declared parts through a clip: frames (T, H, W, 3) uint8 -> Tracks with the parts' own names.

    A part that is not found has only NaN poses. Of several chains of one colour each part takes the one nearest to
    its ``near`` (or the largest).
    """
    noise = pixel_noise(frames) if noise is None else noise
    plate = background(frames, noise) if plate is None else plate
    sprites = [part for part in parts if part.colour is None]
    wholes = _sprite_chains(frames, plate, noise, force=bool(sprites)) if sprites else []
    flat = [part for part in parts if part.colour is not None]
    colours: list[np.ndarray] = []
    for part in flat:
        if not any(np.allclose(part.colour, c, atol=2) for c in colours):
            colours.append(np.asarray(part.colour, np.float64))
    chosen: list[tuple[np.ndarray | None, Chain]] = []
    named: list[Part] = []
    by_colour = _colour_chains(frames, plate, noise, colours, wholes)
    for colour, found in [(None, wholes), *by_colour]:
        mine = sprites if colour is None else [p for p in flat if np.allclose(p.colour, colour, atol=2)]
        for part, chain in _match(mine, found):
            chosen.append((colour, chain))
            named.append(part)
    return follow(frames, plate, noise, chosen, named)


# ------------------------------------------------------------------------------------------------- regions and chains


def _label(frame: np.ndarray, plate: np.ndarray, noise: float, colours: Sequence[np.ndarray], blocked: np.ndarray | None) -> list[np.ndarray]:
    """Binary mask (H, W) of each colour in one frame. Where the plate has the same colour, gaps are bridged."""
    mask = foreground(frame, plate, noise)
    if blocked is not None:
        mask &= ~blocked
    ground, _ = dominant_colour(plate[None])
    masks = []
    for k, colour in enumerate(colours):
        others = [np.linalg.norm(colour - c) for j, c in enumerate(colours) if j != k] + [np.linalg.norm(colour - ground)]
        reach = min(max(70.0, 6 * noise), max(0.48 * min(others), 10.0 + 3 * noise))
        near = np.sum((frame.astype(np.float32) - colour.astype(np.float32)) ** 2, -1) <= reach * reach
        same_plate = near & (np.sum((plate.astype(np.float32) - colour.astype(np.float32)) ** 2, -1) <= reach * reach)
        own = (near & mask).astype(np.uint8)
        if same_plate.any():
            bridged = cv2.morphologyEx(own, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
            own |= bridged & same_plate.astype(np.uint8)
        masks.append(own.astype(bool))
    return masks


def _thick(region: Region) -> bool:
    """Not merely the one-pixel fringe of something else: survives an erosion, or is a thin bar of its own."""
    if region.area < 12:
        return True
    inside = cv2.erode(np.pad(region.mask, 1).astype(np.uint8), np.ones((2, 2), np.uint8))
    return inside.sum() >= 0.15 * region.area


def _colour_chains(frames, plate, noise, colours, wholes) -> list[tuple[np.ndarray, list[Chain]]]:
    """For each colour the chains of its regions over the clip."""
    found: list[list[list[Region]]] = [[] for _ in colours]
    for t, frame in enumerate(frames):
        blocked = _blocked(frame.shape[:2], wholes, t)
        for k, mask in enumerate(_label(frame, plate, noise, colours, blocked)):
            found[k].append([r for r in regions(mask, SMALLEST if noise <= 1 else 2 * SMALLEST) if _thick(r)])
    return [(colour, link(per_frame, frames.shape[1:3])) for colour, per_frame in zip(colours, found, strict=True)]


def _blocked(shape: tuple[int, int], wholes: Sequence[Chain], t: int) -> np.ndarray | None:
    """Pixels of frame t that belong to sprites."""
    if not wholes:
        return None
    mask = np.zeros(shape, bool)
    for chain in wholes:
        region = chain.regions.get(t)
        if region is not None:
            x0, y0, x1, y1 = region.box
            mask[y0:y1, x0:x1] |= region.mask
    return cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)


def _without(frames, plate, wholes) -> np.ndarray:
    """A sample of frames with the sprites painted over by the plate, so that they do not enter the palette."""
    index = np.unique(np.linspace(0, len(frames) - 1, 8).round().astype(int))
    few = frames[index].copy()
    for frame, t in zip(few, index, strict=True):
        blocked = _blocked(frame.shape[:2], wholes, int(t))
        if blocked is not None:
            frame[blocked] = plate[blocked]
    return few


def _match(parts: Sequence[Part], chains: Sequence[Chain]) -> list[tuple[Part, Chain]]:
    """Pair declared parts with chains: nearest first sighting, else largest."""
    left, pairs = list(chains), []
    for part in parts:
        if not left:
            break
        if part.near is not None and len(parts) > 1:
            first = [chain.regions[min(chain.regions)] for chain in left]
            k = int(np.argmin([math.hypot(r.x - part.near[0], r.y - part.near[1]) for r in first]))
        else:
            k = int(np.argmax([chain.area for chain in left]))
        pairs.append((part, left.pop(k)))
    return pairs


# ------------------------------------------------------------------------------------------------------------ sprites


def _sprite_chains(frames, plate, noise, force: bool = False) -> list[Chain]:
    """Chains of foreground regions (of any colours) that move as one rigid textured piece."""
    per_frame = [regions(foreground(frame, plate, noise), 4 * SMALLEST) for frame in frames]
    return [chain for chain in link(per_frame, frames.shape[1:3]) if _is_sprite(frames, plate, noise, chain, force)]


def _is_sprite(frames, plate, noise, chain: Chain, force: bool) -> bool:
    t = _reference(chain)
    region = chain.regions[t]
    x0, y0, x1, y1 = region.box
    window = frames[t, y0:y1, x0:x1]
    inner = cv2.erode(np.pad(region.mask, 1).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=2)[1:-1, 1:-1] > 0
    if inner.sum() < 20:
        return False
    flat = homogeneous(window, noise) & inner
    if flat.sum() >= 0.5 * inner.sum():
        colours = palette(window[None], plate[None, y0:y1, x0:x1][0], noise)
        if len([1 for _, share in colours if share > 0.08]) < 2 and not force:
            return False
        if flat.sum() >= 0.9 * inner.sum() and len([1 for _, share in colours if share > 0.08]) < 2:
            return False
    return _rigid(frames, plate, noise, chain, t)


def _rigid(frames, plate, noise, chain: Chain, reference: int) -> bool:
    """Does the region of the reference frame, moved and turned as a whole, explain the others?"""
    look, pose = sprite_look(frames[reference], plate, chain.regions[reference], noise)
    times = [t for t in sorted(chain.regions) if not chain.regions[t].edge and 0.9 * chain.area < chain.regions[t].area < 1.12 * chain.area]
    if len(times) < 0.5 * len(chain.regions) or not _same_silhouette([chain.regions[t] for t in times]):
        return False
    errors, angle = [], 0.0
    far = [t for t in times if abs(t - reference) >= 1]
    for t in sorted(far, key=lambda t: abs(t - reference))[:: max(1, len(far) // 5)]:
        region = chain.regions[t]
        fit = _register(look, np.array([region.x, region.y, angle]), frames[t], plate)
        angle = fit[2]
        errors.append(own_error(look, fit, frames[t], plate))
    return bool(errors) and float(np.quantile(errors, 0.8)) < 9.0 + 1.5 * noise


def _same_silhouette(shapes: list[Region]) -> bool:
    """Second moments about the own centre agree to a few percent: what a rigid piece keeps while it moves and turns."""
    axes = []
    for region in shapes:
        ys, xs = np.nonzero(region.mask)
        axes.append(np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(np.stack([xs, ys]))), 0.1)))
    spread = np.ptp(np.quantile(axes, (0.1, 0.9), axis=0), axis=0) / np.median(axes, axis=0)
    return bool((spread < 0.05 + 0.5 / np.median(axes, axis=0)).all())


def _register(look: Look, pose: np.ndarray, frame, ground, weight=None, tolerance: float = 8.0) -> np.ndarray:
    """Pose of a sprite or polygon near ``pose``; other angles are tried when the first does not fit."""
    best, best_error = pose, np.inf
    for turn in (0.0, 0.35, -0.35, 0.8, -0.8, 1.4, -1.4, 2.2, -2.2, math.pi):
        fit = fit_pose(look, pose + (0, 0, turn), frame, ground, weight)
        if fit is None:
            continue
        error = own_error(look, fit.x, frame, ground, weight)
        if error < best_error:
            best, best_error = fit.x, error
        if best_error < tolerance:
            break
    return best


# ---------------------------------------------------------------------------------------------------------- following


def _reference(chain: Chain) -> int:
    """The frame that shows a chain best: away from the border, of typical (large) area."""
    inside = [t for t, r in chain.regions.items() if not r.edge] or list(chain.regions)
    areas = np.array([chain.regions[t].area for t in inside])
    target = np.quantile(areas, 0.8)
    return inside[int(np.argmin(np.abs(areas - target)))]


def follow(frames: np.ndarray, plate: np.ndarray, noise: float, chains: Sequence[tuple[np.ndarray | None, Chain]],
           parts: Sequence[Part] | None = None) -> Tracks:
    """Sub-pixel poses of parts whose regions are linked already: (colour (3,), or None for a sprite; its chain) per part.

    parts: one per chain, for names and shapes; None names them by shape. A part without a pose in any frame is left out.
    """
    looks, poses = [], []
    for k, (colour, chain) in enumerate(chains):
        kind = None if parts is None else parts[k].shape
        look, start = _first_look(frames, plate, noise, colour, chain, kind)
        looks.append(look)
        poses.append(_first_poses(look, start, frames, plate, noise, chain))
    depth = _depth(looks, poses, frames)
    front = _front(frames, plate, noise, looks, poses)
    for _ in range(2):
        poses, spreads, errors = _refine(frames, plate, noise, looks, poses, depth, front)
        looks = [_refit(frames, plate, looks, poses, depth, k, front, errors[k]) for k in range(len(looks))]
    poses, spreads, errors = _refine(frames, plate, noise, looks, poses, depth, front)
    names = [part.name for part in parts] if parts is not None else _names(looks)
    tracks = [Track(names[k], looks[k], poses[k], spreads[k], errors[k]) for k in depth if np.isfinite(poses[k][:, 0]).any()]
    return Tracks(plate, noise, tuple(tracks), front)


def _names(looks: Sequence[Look]) -> list[str]:
    counts: dict[str, int] = {}
    names = []
    for look in looks:
        counts[look.shape] = counts.get(look.shape, 0) + 1
        names.append(f"{look.shape}_{counts[look.shape]}")
    return names


def _first_look(frames, plate, noise, colour, chain: Chain, kind) -> tuple[Look, np.ndarray]:
    t = _reference(chain)
    if colour is None or kind == "sprite":
        return sprite_look(frames[t], plate, chain.regions[t], noise)
    blocked = foreground(frames[t], plate, noise)
    blocked &= np.linalg.norm(frames[t].astype(np.float32) - colour.astype(np.float32), axis=-1) > 60
    return guess_look(chain.regions[t], blocked, tuple(float(c) for c in colour), kind)


def _first_poses(look: Look, start: np.ndarray, frames, plate, noise, chain: Chain) -> np.ndarray:
    """(T, 3) poses from the regions alone; NaN where there is none. Angles are unwrapped."""
    reference = _reference(chain)
    poses = np.full((len(frames), 3), np.nan)
    offset = start[:2] - (chain.regions[reference].x, chain.regions[reference].y)
    for t, region in chain.regions.items():
        if look.shape in ("disk", "box") and 0.5 * chain.area < region.area:
            free = np.zeros(frames.shape[1:3], bool)
            poses[t] = guess_look(region, free, look.colour, look.shape)[1]
        else:
            poses[t] = (region.x, region.y, 0.0)
    if look.shape == "box":
        period = math.pi / 2 if max(look.size) < 1.15 * min(look.size) else math.pi
        poses[:, 2] = _unwrap(poses[:, 2], period, start[2], reference)
    elif look.turns:
        poses[:, 2] = _turns(look, poses, offset, frames, plate, reference)
    return poses


def _unwrap(angles: np.ndarray, period: float, start: float, reference: int) -> np.ndarray:
    """Continue angles that are known up to a period, from the reference frame outwards, at steady turning rate."""
    out = angles.copy()
    seen = np.flatnonzero(np.isfinite(angles))
    forward, backward = [t for t in seen if t >= reference], [t for t in seen if t < reference][::-1]
    for run in (forward, backward):
        last, rate, before = start, 0.0, None
        for t in run:
            guess = last + (rate * (abs(t - before)) if before is not None else 0.0)
            value = angles[t] + period * round((guess - angles[t]) / period)
            if before is not None:
                rate = 0.5 * rate + 0.5 * (value - last) / abs(t - before) if rate else (value - last) / abs(t - before)
            out[t], last, before = value, value, t
    return out


def _turns(look: Look, poses: np.ndarray, offset: np.ndarray, frames, plate, reference: int) -> np.ndarray:
    """Angles of a polygon or sprite by registration, frame after frame away from the reference."""
    angles = np.zeros(len(frames))
    seen = np.flatnonzero(np.isfinite(poses[:, 0]))
    for run in ([t for t in seen if t >= reference], [t for t in seen if t < reference][::-1]):
        angle, rate, before = 0.0, 0.0, reference
        for t in run:
            guess = angle + rate * abs(t - before)
            c, s = math.cos(guess), math.sin(guess)
            shift = np.array([c * offset[0] - s * offset[1], s * offset[0] + c * offset[1]])
            found = _register(look, np.array([*(poses[t, :2] + shift), guess]), frames[t], plate)
            found_angle = found[2]
            rate = (found_angle - angle) / max(1, abs(t - before)) if t != reference else 0.0
            poses[t, :2] = found[:2]
            angles[t], angle, before = found_angle, found_angle, t
    return angles


def _depth(looks: Sequence[Look], poses: Sequence[np.ndarray], frames) -> list[int]:
    """Indices from back to front: where two parts overlap, the one whose colour is seen is in front."""
    n = len(looks)
    votes = np.zeros((n, n))
    for t in np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 24)).round().astype(int)):
        drawn = [look.cover(frames.shape[1:3], p[t]) if np.isfinite(p[t, 0]) else None for look, p in zip(looks, poses, strict=True)]
        for i in range(n):
            for j in range(i + 1, n):
                if drawn[i] is not None and drawn[j] is not None:
                    votes[i, j] += _front_votes(frames[t], drawn[i], drawn[j])
    votes -= votes.T
    order: list[int] = []
    for k in sorted(range(n), key=lambda k: -looks[k].reach):
        place = len(order)
        while place and votes[k, order[place - 1]] < 0:
            place -= 1
        order.insert(place, k)
    return order


def _front_votes(frame, a, b) -> float:
    """Pixels of the overlap that look like a minus those that look like b."""
    x0, y0 = max(a[0], b[0]), max(a[1], b[1])
    x1, y1 = min(a[0] + a[2].shape[1], b[0] + b[2].shape[1]), min(a[1] + a[2].shape[0], b[1] + b[2].shape[0])
    if x0 >= x1 or y0 >= y1:
        return 0.0

    def view(layer):
        rows, columns = slice(y0 - layer[1], y1 - layer[1]), slice(x0 - layer[0], x1 - layer[0])
        return layer[2][rows, columns], layer[3][rows, columns] if layer[3].ndim == 3 else layer[3]

    (alpha_a, colour_a), (alpha_b, colour_b) = view(a), view(b)
    both = (alpha_a > 0.9) & (alpha_b > 0.9)
    picture = frame[y0:y1, x0:x1].astype(np.float32)
    to_a, to_b = np.abs(picture - colour_a).max(-1), np.abs(picture - colour_b).max(-1)
    return float((both & (to_a < to_b - 10)).sum() - (both & (to_b < to_a - 10)).sum())


def _front(frames, plate, noise, looks, poses) -> np.ndarray:
    """Fixed structures of the plate that are seen where a part should be: bool (H, W)."""
    level = threshold(noise)
    ground, share = dominant_colour(plate[None])
    front = np.zeros(plate.shape[:2], bool)
    structure = np.abs(plate.astype(np.int16) - ground).max(-1) > level
    if share < 0.4 or not structure.any():
        return front
    count, labels = cv2.connectedComponents(structure.astype(np.uint8))
    seen, hidden = np.zeros(count), np.zeros(count)
    for look, path in zip(looks, poses, strict=True):
        known = np.flatnonzero(np.isfinite(path[:, 0]))
        if not len(known):
            continue
        whole = np.stack([np.interp(np.arange(len(frames)), known, path[known, i]) for i in range(3)], 1)
        for t in range(known[0], known[-1] + 1):
            layer = look.cover(plate.shape[:2], whole[t])
            if layer is None:
                continue
            window = (slice(layer[1], layer[1] + layer[2].shape[0]), slice(layer[0], layer[0] + layer[2].shape[1]))
            over = (layer[2] > 0.95) & structure[window]
            if not over.any() or np.abs(plate[window][over].astype(np.float32) - look.colour).max(-1).min() < 2 * level:
                continue
            same = np.abs(frames[t][window].astype(np.int16) - plate[window]).max(-1) <= level
            np.add.at(seen, labels[window][over & same], 1)
            np.add.at(hidden, labels[window][over & ~same], 1)
    inside = (seen > 2 * hidden) & (seen > 8)
    inside[0] = False
    return inside[labels]


def _refine(frames, plate, noise, looks, poses, depth, front):
    """Refine all poses of all frames by drawing the scene; (poses, spreads (3,) each, errors (T,) each)."""
    poses = [_bridged(p, look, frames.shape[1:3]) for p, look in zip(poses, looks, strict=True)]
    spreads, errors = [np.full(3, 0.05) for _ in looks], [np.full(len(frames), np.inf) for _ in looks]
    widths: list[list[np.ndarray]] = [[] for _ in looks]
    for t, frame in enumerate(frames):
        for k in depth:
            if not np.isfinite(poses[k][t, 0]):
                continue
            window = crop(frame.shape[:2], poses[k][t, 0], poses[k][t, 1], looks[k].reach + 10)
            if window is None:
                poses[k][t] = np.nan
                continue
            ground, weight = _surroundings(plate, looks, poses, depth, k, t, window, front)
            origin = np.array([window[1].start, window[0].start, 0.0])
            fit = fit_pose(looks[k], poses[k][t] - origin, frame[window], ground, weight)
            if fit is None:
                poses[k][t] = np.nan
                continue
            error = own_error(looks[k], fit.x, frame[window], ground, weight)
            if error <= _tolerance(looks[k], ground, noise):
                poses[k][t] = fit.x + origin
                errors[k][t] = error
                widths[k].append(fit.spread)
            else:
                poses[k][t] = np.nan
    for k, width in enumerate(widths):
        if width:
            spreads[k] = np.where(np.isfinite(m := np.median(width, axis=0)), np.maximum(m, 1e-3), 1e-3)
    return poses, spreads, errors


def _tolerance(look: Look, ground: np.ndarray, noise: float) -> float:
    """Largest mean colour error at which a part counts as seen: a third of its contrast with the ground."""
    if look.shape == "sprite":
        contrast = 60.0
    else:
        contrast = float(np.abs(np.median(ground, axis=(0, 1)) - look.colour).mean())
    return max(0.35 * contrast, 12.0) + noise


def _bridged(path: np.ndarray, look: Look, shape: tuple[int, int]) -> np.ndarray:
    """Fill gaps between sightings by straight lines, and one frame beyond each end, as starting points."""
    known = np.flatnonzero(np.isfinite(path[:, 0]))
    out = path.copy()
    if len(known) < 2:
        return out
    inside = np.arange(known[0], known[-1] + 1)
    for i in range(3):
        out[inside, i] = np.interp(inside, known, path[known, i])
    for near, other, step in ((known[0], known[1], -1), (known[-1], known[-2], 1)):
        edge, inner = path[near], path[other]
        t = near + step
        if 0 <= t < len(path):
            guess = edge + (edge - inner) / abs(near - other)
            if -look.reach < guess[0] < shape[1] + look.reach and -look.reach < guess[1] < shape[0] + look.reach:
                out[t] = guess
    return out


def _surroundings(plate, looks, poses, depth, k: int, t: int, window, front) -> tuple[np.ndarray, np.ndarray]:
    """What lies behind part k in a window (float32 (h, w, 3)) and where nothing lies in front of it (bool (h, w))."""
    ground = plate[window].astype(np.float32)
    origin = np.array([window[1].start, window[0].start, 0.0])
    weight = ~front[window]
    rank = depth.index(k)
    for place, j in enumerate(depth):
        if j == k or not np.isfinite(poses[j][t, 0]):
            continue
        at = poses[j][t] - origin
        if place < rank:
            ground = compose(looks[j], at, ground, (0, 0))
        else:
            layer = looks[j].cover(ground.shape[:2], at)
            if layer is not None:
                x0, y0, alpha, _ = layer
                weight[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]] &= alpha < 0.02
    return ground, weight


def _refit(frames, plate, looks, poses, depth, k: int, front, errors: np.ndarray) -> Look:
    """Measure a look again in its best frames, now that everything else is drawn around it."""
    look = looks[k]
    times = _best_times(look, poses[k], frames.shape[1:3], errors)
    if not len(times):
        return look
    if look.shape not in ("disk", "box"):
        return look
    found = []
    for t in times:
        window = crop(frames.shape[1:3], *poses[k][t, :2], 1.3 * look.reach + 12)
        ground, weight = _surroundings(plate, looks, poses, depth, k, t, window, front)
        origin = np.array([window[1].start, window[0].start, 0.0])
        if weight.sum() > 20:
            found.append(fit_look(look, poses[k][t] - origin, frames[t][window], ground, weight)[0])
    if not found:
        return look
    size = tuple(float(v) for v in np.median([f.size for f in found], axis=0))
    if not all(0.5 < a / b < 2.0 for a, b in zip(size, look.size, strict=True)):
        return look
    return replace(look, size=size, width=float(np.median([f.width for f in found])))


def _best_times(look: Look, path: np.ndarray, shape: tuple[int, int], errors: np.ndarray, limit: int = 5) -> np.ndarray:
    """Frames in which the part lies inside the image and fits best, spread over the clip."""
    x, y = path[:, 0], path[:, 1]
    with np.errstate(invalid="ignore"):
        inside = (x > look.reach) & (y > look.reach) & (x < shape[1] - 1 - look.reach) & (y < shape[0] - 1 - look.reach)
    times = np.flatnonzero(inside & np.isfinite(errors))
    if not len(times):
        times = np.flatnonzero(np.isfinite(errors))
    good = times[errors[times] <= np.median(errors[times]) + 1e-9] if len(times) else times
    return good[np.unique(np.linspace(0, len(good) - 1, limit).round().astype(int))] if len(good) > limit else good

