"""First ideas: what a chain of regions looks like, and roughly where it is in each frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from tools.perception.appearance_fit import (
    PLAIN,
    SLACK,
    Guess,
    choose_look,
    guess_look,
    hidden,
    sprite_look,
)
from tools.perception.background import differs
from tools.perception.clip import Clip
from tools.perception.linking import Chain
from tools.perception.parts import Appearance
from tools.perception.pose import View, located, misfit
from tools.perception.registration import likeness, polar, turn, uneven
from tools.perception.seeds import Seed, mixture
from tools.perception.segmentation import Region, moments

ROUND = 0.985
"""Likeness of a sprite with itself at the worst angle above which its angle cannot be told."""
FOLD, MOST_FOLD = 0.7, 12
"""Likeness of what changes with the angle, after a part of a turn, from which a cut-out looks the
same after that part; and most such parts."""
MARK = (5, 0.008, 0.5)
"""Pixels, and shares of its inside, that a mark on a flat part has: at least, at least, at most."""
BORDERS = 0.25
"""Share of a region's rim that may border on something else, and its outline is still its own:
wheels that mesh do so at a sixth of theirs, at a fifth and more where it is noisy."""
HOLLOW = 0.6
"""Misfit in pixels above which no flat outline explains a region, so that it is taken as a sprite.
"""


def typical(chain: Chain) -> float:
    """Median area of the regions away from the border; of a chain that the border always cuts, the
    area of the one that shows most."""
    whole = [r.area for r in chain.regions.values() if not r.edge]
    return float(np.median(whole) if whole else max(r.area for r in chain.regions.values()))


def references(chain: Chain, limit: int = 3) -> list[int]:
    """Frames that show a chain best: away from the border, of typical area, least in contact; best
    first, spread in time."""
    usual = typical(chain)
    inside = [t for t, r in chain.regions.items() if not r.edge] or list(chain.regions)
    free = min(chain.regions[t].contact for t in inside)
    good = sorted(
        (abs(math.log(chain.regions[t].area / usual)) + 2 * (chain.regions[t].contact - free), t)
        for t in inside
    )
    pool = [t for score, t in good if score <= good[0][0] + 0.05] or [good[0][1]]
    if len(pool) <= limit:
        return pool
    return [pool[0], *(t for t in (pool[len(pool) // 2], pool[-1]) if t != pool[0])][:limit]


# --------------------------------------------------------------------------------------------------


def alone(clip: Clip, t: int, colour) -> View:
    """Frame t for a part of a flat colour of which nothing else is known: pixels that are no
    mixture of it and the plate belong to something else."""
    frame = clip.frame(t)

    def ground(px: np.ndarray, py: np.ndarray) -> np.ndarray:
        return clip.plate[py.astype(int), px.astype(int)].astype(np.float64)

    def free(px: np.ndarray, py: np.ndarray) -> np.ndarray:
        rows, columns = py.astype(int), px.astype(int)
        return mixture(
            frame[rows, columns].astype(np.float32),
            clip.plate[rows, columns].astype(np.float32),
            colour,
            clip.noise,
        )[1]

    return View(frame, ground, free, clip.luma)


def whole(clip: Clip, t: int) -> View:
    """Frame t over the plate, nothing left out."""

    def ground(px: np.ndarray, py: np.ndarray) -> np.ndarray:
        return clip.plate[py.astype(int), px.astype(int)].astype(np.float64)

    return View(clip.frame(t), ground, lambda px, py: np.ones(len(px), bool))


def first_look(clip: Clip, seed: Seed) -> tuple[Appearance, np.ndarray, int]:
    """(look, pose, the frame it was measured in)."""
    if seed.look is not None:
        return *seed.look, min(seed.chain.regions)
    kind = None if seed.part is None else seed.part.shape
    times = references(seed.chain)
    if seed.colour is None or kind == "sprite":
        return *cut_sprite(clip, seed.chain, times[0]), times[0]
    if kind is None and _marked_throughout(seed.chain, times):
        return *cut_sprite(clip, seed.chain, times[0]), times[0]
    guesses = [_guess(clip, seed, times[0], kind)]
    if guesses[0].misfit > SLACK:  # not plain: ask other frames too
        guesses += [_guess(clip, seed, t, kind) for t in times[1:]]
    shapes = [guess.appearance.shape for guess in guesses]
    usual = max(("disk", "box", "polygon"), key=shapes.count)
    k = min((k for k, s in enumerate(shapes) if s == usual), key=lambda k: guesses[k].misfit)
    plain = min(range(len(guesses)), key=lambda k: guesses[k].misfit)
    if guesses[k].misfit > HOLLOW and guesses[plain].misfit < PLAIN:
        k = plain  # an outline too ragged for corners in some frames is not in others
    if (
        kind is None
        and guesses[k].misfit > HOLLOW + 0.01 * guesses[k].appearance.bounding_radius
        and seed.chain.regions[times[k]].contact < BORDERS
    ):
        return *cut_sprite(clip, seed.chain, times[k]), times[k]
    return guesses[k].appearance, guesses[k].pose, times[k]


def _marked_throughout(chain: Chain, times: Sequence[int]) -> bool:
    """Whether a part of one colour has a line or a dot on it in all of its best frames."""
    regions = [chain.regions[t] for t in times]
    return all(region.contact < BORDERS and _marked(region) for region in regions)


def _marked(region: Region) -> bool:
    """Whether few pixels well inside a region's outline are not its own; lines that reach the
    outline do not notch it."""
    padded = np.pad(region.mask, 3).astype(np.uint8)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(closed), outlines, -1, 1, cv2.FILLED)
    inner = cv2.erode(filled, np.ones((5, 5), np.uint8)) > 0
    missing = int((inner & (padded == 0)).sum())
    return MARK[0] <= missing and MARK[1] * inner.sum() <= missing <= MARK[2] * inner.sum()


def _guess(clip: Clip, seed: Seed, t: int, kind: str | None) -> Guess:
    """The look of a flat chain as frame t shows it."""
    assert seed.colour is not None, "only a flat chain has one colour"
    red, green, blue = (float(c) for c in seed.colour)
    colour = (red, green, blue)
    return choose_look(seed.chain.regions[t], colour, alone(clip, t, colour), clip.noise, kind)


def cut_sprite(clip: Clip, chain: Chain, t: int) -> tuple[Appearance, np.ndarray]:
    """A sprite cut from frame t, marked round when turning it changes nothing."""
    appearance, pose = sprite_look(clip.frame(t), clip.plate, chain.regions[t], clip.noise)
    return mark_round(appearance), pose


def mark_round(appearance: Appearance) -> Appearance:
    """The look with ``round`` set when its picture hardly changes with the angle."""
    own = _around(appearance)
    return replace(appearance, round=bool(likeness(own, own).min() > ROUND))


def fold(appearance: Appearance) -> int:
    """How often in a turn a cut-out looks about the same: 6 for a wheel with six spokes, 1 for what
    shows its angle."""
    own = uneven(_around(appearance))
    alike = likeness(own, own)
    for count in range(MOST_FOLD, 1, -1):
        parts = np.round(np.arange(1, count) * len(alike) / count).astype(int)
        if alike[parts].min() > FOLD:
            return count
    return 1


def _around(appearance: Appearance) -> np.ndarray:
    """Polar picture of a cut-out about the middle of its area, a little blurred."""
    solid = cv2.GaussianBlur(appearance.picture[..., 3], (0, 0), 1.0)
    colours = (
        cv2.GaussianBlur(appearance.picture[..., :3] * appearance.picture[..., 3:], (0, 0), 1.0)
        / np.maximum(solid, 1e-3)[..., None]
    )
    _, x, y, _, _ = moments(solid)
    return polar(255 * colours, solid, appearance.colour, (x, y), 0.5 * max(solid.shape))


# --------------------------------------------------------------------------------------------------


def first_poses(
    clip: Clip, seed: Seed, appearance: Appearance, start: np.ndarray, reference: int
) -> np.ndarray:
    """(T, 3) poses of a chain, each frame for itself; NaN where there is no region. Angles are
    continuous."""
    poses = np.full((len(clip), 3), np.nan)
    times = sorted(seed.chain.regions)
    if appearance.shape in ("disk", "box"):
        _from_regions(clip, seed, appearance, poses, times)
        if appearance.shape == "box":
            poses[:, 2] = unwrap(poses[:, 2], period(appearance), start[2], reference)
        return poses
    for run in ([t for t in times if t >= reference], [t for t in times if t < reference][::-1]):
        _register(clip, seed, appearance, start, reference, poses, run)
    return poses


def _from_regions(
    clip: Clip, seed: Seed, appearance: Appearance, poses: np.ndarray, times: Sequence[int]
) -> None:
    """Poses of disks and boxes from each region's outline, in place."""
    usual = typical(seed.chain)
    for t in times:
        region = seed.chain.regions[t]
        if 0.6 * usual < region.area < 1.3 * usual:
            poses[t] = guess_look(
                region,
                hidden(region, alone(clip, t, appearance.colour)),
                appearance.colour,
                appearance.shape,
            )[1]
        else:
            poses[t] = (region.x, region.y, 0.0)
    if appearance.shape == "box":
        poses[[t for t in times if seed.chain.regions[t].area < 0.6 * usual], 2] = np.nan
        known = np.isfinite(poses[:, 2])
        missing = np.isfinite(poses[:, 0]) & ~known
        if known.any():
            poses[missing, 2] = np.interp(
                np.flatnonzero(missing), np.flatnonzero(known), poses[known, 2]
            )
        else:
            poses[missing, 2] = 0.0


def period(appearance: Appearance) -> float:
    """The turn after which a box looks the same: half a turn, a quarter for one that is about
    square."""
    return math.pi / 2 if max(appearance.size) < 1.08 * min(appearance.size) else math.pi


def unwrap(angles: np.ndarray, period: float, start: float, reference: int) -> np.ndarray:
    """Continue angles that are known up to a period, from the reference frame outwards, at steady
    turning rate."""
    out = angles.copy()
    seen = np.flatnonzero(np.isfinite(angles))
    for run in ([t for t in seen if t >= reference], [t for t in seen if t < reference][::-1]):
        last, rate, before = start, 0.0, None
        for t in run:
            guess = last + (rate * abs(t - before) if before is not None else 0.0)
            value = angles[t] + period * round((guess - angles[t]) / period)
            if before is not None:
                rate = (
                    0.5 * rate + 0.5 * (value - last) / abs(t - before)
                    if rate
                    else (value - last) / abs(t - before)
                )
            out[t], last, before = value, value, t
    return out


def _register(
    clip: Clip,
    seed: Seed,
    appearance: Appearance,
    start: np.ndarray,
    reference: int,
    poses: np.ndarray,
    run: Sequence[int],
) -> None:
    """Poses of a polygon or sprite, frame after frame away from the reference, in place. Where the
    border cuts a part, neither its outline nor its middle tells the pose, so it is taken to go on
    as before."""
    chain, usual = seed.chain, typical(seed.chain)
    home = chain.regions[reference]
    offset, reach = start[:2] - (home.x, home.y), appearance.bounding_radius + 2
    original = _polar(clip, appearance, home, reference, (home.x, home.y), reach)
    rates, before, known = np.zeros(3), reference, bool(np.isfinite(poses[reference]).all())
    for t in run:
        region = chain.regions[t]
        expected = poses[before] + rates * abs(t - before) if known else np.zeros(3)
        if known and region.edge and region.area < 0.9 * usual:
            guess = expected
        else:
            found = expected[2]
            if appearance.turns:
                found, _ = turn(
                    original,
                    _polar(clip, appearance, region, t, (region.x, region.y), reach),
                    expected[2],
                )
            c, s = math.cos(found), math.sin(found)
            guess = np.array(
                [
                    region.x + c * offset[0] - s * offset[1],
                    region.y + s * offset[0] + c * offset[1],
                    found,
                ]
            )
        seen = whole(clip, t) if appearance.shape == "sprite" else alone(clip, t, appearance.colour)
        found = located(appearance, guess, seen, margin=3.0)
        poses[t] = guess
        if found is not None and found[1] <= misfit(appearance, guess, seen) + 1e-9:
            poses[t] = found[0].x
        if known:
            rates = (poses[t] - poses[before]) / max(1, abs(t - before))
        before, known = t, True


def _polar(
    clip: Clip,
    appearance: Appearance,
    region: Region,
    t: int,
    centre: tuple[float, float],
    reach: float,
) -> np.ndarray:
    """Polar picture of a region."""
    x0, y0 = max(0, int(centre[0] - reach) - 1), max(0, int(centre[1] - reach) - 1)
    x1, y1 = (
        min(clip.shape[1], int(centre[0] + reach) + 2),
        min(clip.shape[0], int(centre[1] + reach) + 2),
    )
    frame = clip.frame(t)[y0:y1, x0:x1]
    solid: np.ndarray = np.zeros(frame.shape[:2], np.float32)
    a, b, c, d = (
        max(region.box[0], x0),
        max(region.box[1], y0),
        min(region.box[2], x1),
        min(region.box[3], y1),
    )
    if a < c and b < d:
        solid[b - y0 : d - y0, a - x0 : c - x0] = region.mask[
            b - region.box[1] : d - region.box[1], a - region.box[0] : c - region.box[0]
        ]
    if appearance.shape == "sprite":
        solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        solid = solid * cv2.dilate(
            differs(frame, clip.plate[y0:y1, x0:x1], clip.level).astype(np.uint8),
            np.ones((3, 3), np.uint8),
        )
    colours = (
        frame
        if appearance.shape == "sprite"
        else np.broadcast_to(np.asarray(appearance.colour, np.float32), frame.shape)
    )
    return polar(colours, solid, appearance.colour, (centre[0] - x0, centre[1] - y0), reach)
