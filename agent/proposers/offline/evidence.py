"""What the visible frames say before anything is proposed: bodies, joints, events, and which forces
explain the motion.

Forces are compared in the integral (weak) form: positions are regressed on double time integrals of
candidate accelerations evaluated along the smoothed path, so that noise is never differentiated
twice. Terms enter one by one while the Bayesian information criterion improves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, TypeVar

import cv2
import numpy as np
from scipy.optimize import least_squares

from agent.proposers.offline.belief import bandwidth, complexity, least, misfit, systematic
from agent.proposers.offline.breaks import arrests, breaks
from agent.proposers.offline.grammar.laws.wall import across
from agent.proposers.offline.naming import SHAPE_WORDS, colour_word, unique
from agent.proposers.offline.priors import THRESHOLDS, price, proposed, standing
from agent.proposers.offline.source.perception import Said
from agent.proposers.offline.waiting import like_cut_outs, waiting
from tools import timing
from tools.guide import Guide
from tools.perception.anchoring import circle_of
from tools.perception.background import differs, dominant_colour, threshold
from tools.perception.camera import is_camera, moving_bodies
from tools.perception.given import clip_number, guided
from tools.perception.links import Ends
from tools.perception.parts import Appearance, Track
from tools.perception.segmentation import regions
from tools.perception.swelling import swells
from tools.perception.tracking import Tracks, discover
from tools.types import Steps, Video

Worked = TypeVar("Worked")


@dataclass(frozen=True)
class Path:
    """One body's track in one video. xy: (T, 2) pixels; angle: (T,) radians; NaN = not seen. sigma,
    sigma_angle: measurement noise. kinks: frames t such that the velocity jumps between t - 1 and t
    + 1. waits: it rests, but is of a kind that moves. systematic: pixels by which a camera may
    misplace it, alike in neighbouring frames. radii: (T,) px of a disk that grows or shrinks."""

    name: str
    appearance: Appearance
    xy: np.ndarray
    angle: np.ndarray
    sigma: float
    sigma_angle: float
    moves: bool
    turns: bool
    kinks: tuple[int, ...] = ()
    waits: bool = False
    systematic: float = 0.0
    radii: np.ndarray | None = None

    @property
    def floor(self) -> float:
        """Pixels that a place may be off by at least."""
        return math.hypot(self.sigma, self.systematic)

    @property
    def floor_angle(self) -> float:
        """Radians that an angle may be off by at least: what misplaces a body turns it as well."""
        askew = THRESHOLDS.travel_share if self.systematic else 0.0
        return math.hypot(self.sigma_angle, askew)

    @property
    def seen(self) -> np.ndarray:
        return np.isfinite(self.xy[:, 0])

    @property
    def rests_at_first(self) -> bool:
        """Whether it stands still in the first frames, and is seen in them, until it is struck."""
        first = slice(0, STILL)
        places = self.xy[first]
        struck = self.kinks and self.kinks[0] >= STILL
        if len(self.xy) <= STILL or not self.seen[first].all() or not (struck or self.waits):
            return False
        turns = float(np.ptp(self.angle[first])) * self.appearance.bounding_radius
        moves = float(np.ptp(places, axis=0).max())
        return moves < STANDS * self.floor and (not self.turns or turns < STANDS * self.floor)

    @cached_property
    def compact(self) -> bool:
        """Whether it may be taken for a disk: it is one, or its outline is ragged around one."""
        sprite = self.appearance.sprite
        if self.appearance.shape != "sprite" or sprite is None:
            return self.appearance.shape == "disk"
        solid = np.pad((sprite[..., 3] > 0.5).astype(np.uint8), 1)
        outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not outlines:
            return False
        hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
        filled = cv2.drawContours(np.zeros_like(solid), [hull], -1, 1, cv2.FILLED)
        inscribed = float(cv2.distanceTransform(filled, cv2.DIST_L2, 5).max())
        return inscribed > COMPACT * math.sqrt(float(filled.sum()) / math.pi)

    @cached_property
    def circular(self) -> bool:
        """Whether its outline is a circle: a disk, or a cut-out of one (with a mark on it, or a
        notch where a mark has the ground's colour)."""
        return circle_of(self.appearance) is not None

    @cached_property
    def outline(self) -> np.ndarray | None:
        """(N, 2) points around the largest piece of a cut-out, seen from its middle at angle 0;
        None for other shapes."""
        sprite = self.appearance.sprite
        if self.appearance.shape != "sprite" or sprite is None:
            return None
        solid = (sprite[..., 3] > 0.5).astype(np.uint8)
        pieces, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not pieces:
            return None
        around = max(pieces, key=cv2.contourArea)[:, 0].astype(float)
        height, width = solid.shape
        return around[:: max(1, len(around) // 48)] - ((width - 1) / 2, (height - 1) / 2)

    @cached_property
    def orbit(self) -> Pivot | None:
        """A point of the picture at constant distance from the body's centre (see ``orbit``)."""
        return orbit(self)

    @property
    def radius(self) -> float:
        """Radius of a disk, or half the smaller side: what touches a wall first."""
        return self.appearance.radius

    def girth(self, normal: Sequence[float]) -> float:
        """Pixels that a body reaches to a wall of this normal: half its extent along x or y of a
        box that does not turn, before a wall across that; else its radius."""
        axis = across(normal)
        if axis is None or self.turns:
            return self.radius
        return self.appearance.half_extents(float(np.nanmedian(self.angle)))[axis]


STILL, STANDS = 8, 4.0
"""Frames in which something that moves later stands still at first, and noise widths within which
its places lie."""
COMPACT = 0.84
"""Radius of the largest circle inside an outline, as a share of that of the circle of its area, from
which it is compact."""


EARLY = 0.3
"""Share of the frames seen within which every forecast of the search sees what is pointed at."""


@dataclass(frozen=True)
class Evidence:
    """Paths by body name (back to front) and the clip's measures. dt: seconds between frames, one
    number or one a step (see Video.steps). filmed: by a camera, not drawn. said: what a person
    pointed out, None = nothing. links: body -> springs, ropes and threads that are drawn from it.
    on_grid: corners are drawn on whole pixels.
    worked_out: what inferences that are asked for again and again keep here, by name and arguments."""

    paths: Mapping[str, Path]
    dt: Steps
    shape: tuple[int, int]
    tracks: Tracks
    actions: np.ndarray | None
    filmed: bool = False
    said: Said | None = None
    links: Mapping[str, tuple[Ends, ...]] = field(default_factory=dict)
    on_grid: bool = False
    worked_out: dict[tuple, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def once(self, key: tuple, work: Callable[[], Worked]) -> Worked:
        """What ``work`` finds, worked out once for this evidence under the priors that stand."""
        told = (*key, *standing())
        if told not in self.worked_out:
            self.worked_out[told] = work()
        return self.worked_out[told]

    @cached_property
    def spots(self) -> tuple[tuple[float, float], ...]:
        """Centres (pixels) of small things that stand alone on the plate: bodies at rest, anchors,
        axles."""
        plate, noise = self.tracks.plate, self.tracks.noise
        ground, share = dominant_colour(plate[None])
        if share < 0.4:
            return ()
        found = regions(differs(plate, ground, threshold(noise)), 12.0)
        compact = [
            r
            for r in found
            if not r.edge
            and r.area < 0.05 * plate[..., 0].size
            and r.area > 0.5 * (r.box[2] - r.box[0]) * (r.box[3] - r.box[1])
        ]
        return tuple((r.x, r.y) for r in compact[:6])

    @property
    def movers(self) -> list[Path]:
        return [path for path in self.paths.values() if path.moves or path.turns or path.waits]


def noise_of(series: np.ndarray, floor: float, dt: Steps = 1.0) -> float:
    """Noise of a smooth series from its third, fourth and fifth differences (robust): a kink or two
    do not count, and a fast swing, which lower differences take for noise, does not either. A
    series that moves by whole units, not always the same, carries the error of rounding."""
    known = np.isfinite(series)
    values, dt = series[known], timing.picked(dt, known)
    if len(values) < 7:
        return floor
    if by_whole_pixels(values):
        return max(12**-0.5, floor)
    spread = [
        1.4826
        * float(np.median(np.abs(timing.divided_differences(values, k, dt))))
        / math.sqrt(math.comb(2 * k, k))
        for k in range(3, min(6, len(values) - 3))
    ]
    return max(min(spread), floor)


def by_whole_pixels(values: np.ndarray) -> bool:
    """Whether a series moves by whole units, not always the same, in the frames in which it has left
    its first place."""
    away = values - values[0]
    left = np.abs(away) > 0.5
    if left.sum() < 5 or np.ptp(values) <= 2:
        return False
    steps = np.round(away)
    return bool(np.ptp(np.diff(steps)) > 0 and np.quantile(np.abs(away - steps)[left], 0.9) < 0.05)


def gather(video: Video) -> Evidence:
    """Look at one clip without knowing anything about it."""
    filmed, guide = is_camera(video.frames), video.guide
    if filmed:
        tracks = moving_bodies(video.frames, None, guide.objects, guide.tracks)
    else:
        tracks = discover(video.frames)
        tracks = replace(tracks, tracks=_with_radii(video.frames, tracks))
        tracks, pointed = guided(video, tracks)
        tracks = _credible(tracks, video.shape)
        level = threshold(tracks.noise)
        stay = tuple(t for t in tracks.tracks if not _withdraws(t, video.frames, level))
        tracks = replace(tracks, tracks=(*pointed, *(stay or tracks.tracks)))
    resting = like_cut_outs(tracks) if filmed else waiting(tracks)
    tracks = replace(tracks, tracks=(*resting, *tracks.tracks))
    paths = {}
    for name, track in zip(_names(tracks, guide), tracks.tracks, strict=True):
        paths[name] = replace(
            _path(name, track, video, tracks.noise, filmed),
            waits=any(track is r for r in resting),
        )
    renamed = tuple(
        replace(track, name=name) for name, track in zip(paths, tracks.tracks, strict=True)
    )
    tracks = replace(tracks, tracks=renamed)
    said = _said(video, paths) if guide else None
    return Evidence(paths, video.steps, video.shape, tracks, video.actions, filmed, said)


def _said(video: Video, paths: Mapping[str, Path]) -> Said:
    """What a person pointed out, for a program that may see only the beginning of the clip: what was
    pointed at late is looked for where it is first seen."""
    objects = {}
    for name, (x, y, radius, frame) in video.guide.objects.items():
        if name not in paths:
            continue
        first = int(np.flatnonzero(paths[name].seen)[0])
        if frame > EARLY * len(video.frames):
            (x, y), frame = paths[name].xy[first].round(1).tolist(), first
        objects[name] = (x, y, radius, frame)
    return Said(clip_number(video.frames), Guide(objects, video.guide.tracks))


def _names(tracks: Tracks, guide: Guide) -> list[str]:
    """What each track is called: as a person does, else by its looks."""
    said = {*guide.objects, *guide.tracks}
    words = [
        f"{colour_word(track.appearance.colour)}_{SHAPE_WORDS[track.appearance.shape]}"
        for track in tracks.tracks
        if track.name not in said
    ]
    left = iter(f"other_{word}" if word in said else word for word in unique(words))
    return [track.name if track.name in said else next(left) for track in tracks.tracks]


def _with_radii(frames: np.ndarray, tracks: Tracks) -> tuple[Track, ...]:
    """The tracks, disks that grow or shrink with a radius a frame; what was taken for several pieces
    of one is one."""
    kept: list[Track] = []
    for track in tracks.tracks:
        found = swells(frames, track, tracks.plate)
        twin = found is not None and any(
            other.radii is not None
            and float(np.nanmedian(np.abs(other.poses - found.poses)[:, :2])) < 1.0
            for other in kept
        )
        if not twin:
            kept.append(track if found is None else found)
    disks = [track for track in kept if track.radii is not None]
    return tuple(
        t for t in kept if any(t is d for d in disks) or not any(_within(t, disk) for disk in disks)
    )


def _within(track: Track, disk: Track) -> bool:
    """Whether a piece lies inside a disk that grows: what it uncovers or covers of the plate."""
    assert disk.radii is not None
    away = np.hypot(*(track.poses - disk.poses)[:, :2].T)
    return bool(np.nanmedian(away - disk.radii) < 0.0) if np.isfinite(away).any() else False


def _credible(tracks: Tracks, shape: tuple[int, int]) -> Tracks:
    """Without specks (parts of a few hundredths of the largest one's area that are seen only now
    and then, or that rest but for a few frames: pieces of scenery that something passes over;
    or that are placed at random), without what patches a thin line, without what comes and goes or
    switches in the middle of the picture (signs, flashes), without holes that show the ground,
    without halos, and without fragments (pieces of a part's colour that show up where the part
    itself is going while it is half hidden)."""
    areas = [track.appearance.area for track in tracks.tracks]
    keep = [
        t
        for t, area in zip(tracks.tracks, areas, strict=True)
        if area > 0.03 * max(areas) or (t.seen.mean() > 0.9 and not _rests(t) and not _scatters(t))
    ]
    keep = [t for t in keep if not any(_patch(t, other) for other in keep)] or keep
    keep = [t for t in keep if not _placed_at_random(t)] or keep
    keep = [t for t in keep if not _flickers(t, shape) and not _switches(t)] or keep
    ground, share = dominant_colour(tracks.plate[None])
    keep = [
        t
        for t in keep
        if share < 0.4
        or t.appearance.shape == "sprite"
        or np.abs(ground - t.appearance.colour).max() > 20
    ] or keep  # no holes
    keep = [t for t in keep if not any(_halo(t, other) for other in keep if other is not t)]
    return replace(
        tracks,
        tracks=tuple(
            t for t in keep if not any(_fragment(t, other) for other in keep if other is not t)
        ),
    )


def _rests(track: Track) -> bool:
    """Whether a part keeps its place in most frames."""
    places = track.poses[track.seen, :2]
    return bool((np.abs(places - np.median(places, axis=0)).max(1) < 0.5).mean() > 0.8)


def _scatters(track: Track) -> bool:
    """Whether a part is placed worse than its own size: specks here and there that were linked."""
    noise = [noise_of(series, 0.0) for series in track.poses[:, :2].T]
    return max(noise) > track.appearance.bounding_radius


def _placed_at_random(track: Track) -> bool:
    """Whether a cut-out has no course: a clock, whose digits change."""
    if track.appearance.shape != "sprite" or track.seen.sum() < 7:
        return False
    places = track.poses[track.seen, :2]
    noise = np.array([noise_of(series, 0.0) for series in track.poses[:, :2].T])
    return bool(((noise > RANDOM * places.std(axis=0)) & (noise > AT_RANDOM)).any())


def _patch(piece: Track, whole: Track) -> bool:
    """Whether a part shows now and then only, and then within a box that shows more often: what
    compression makes of a thin line."""
    both = piece.seen & whole.seen
    if (
        piece is whole
        or whole.appearance.shape != "box"
        or piece.seen.mean() > 0.9
        or whole.seen.sum() < 1.5 * piece.seen.sum()
        or both.sum() < 0.9 * piece.seen.sum()
    ):
        return False
    away = piece.poses[both, :2] - whole.poses[both, :2]
    c, s = np.cos(whole.poses[both, 2]), np.sin(whole.poses[both, 2])
    own = np.abs(np.stack([c * away[:, 0] + s * away[:, 1], c * away[:, 1] - s * away[:, 0]], 1))
    inside = (own < np.array(whole.appearance.size) / 2 + 3.0).all(1)
    return bool(inside.mean() > 0.9)


RANDOM, AT_RANDOM = 0.2, 0.3
"""Scatter of a cut-out's places, as a share of their spread and in pixels, from which it goes nowhere:
bodies scatter by hundredths of a pixel."""

RESTING = 0.05
"""Pixels a frame up to which what comes and goes rests."""

HUE = 45.0
"""Distance (in RGB) of two colours up to which compression may have made one of the other."""

HOLD = 4
"""Frames for which a sign rests before and after it switches; near the end two of rest will do."""


def _switches(track: Track) -> bool:
    """Whether a part that rests is suddenly elsewhere, or turned, and rests again at once: no body
    does that."""
    steps = np.diff(track.poses, axis=0)
    size = (
        np.hypot(steps[:, 0], steps[:, 1]) + np.abs(steps[:, 2]) * track.appearance.bounding_radius
    )
    rests = size < 0.5
    return any(
        size[k] > track.appearance.bounding_radius
        and rests[k - HOLD : k].all()
        and rests[k + 1 : k + 1 + HOLD].all()
        for k in range(HOLD, len(size) - 2)
    )


def _flickers(track: Track, shape: tuple[int, int]) -> bool:
    """Whether a part appears or vanishes well inside the picture (or anywhere, if it rests
    meanwhile), and is missing from a tenth of the frames."""
    seen = np.flatnonzero(track.seen)
    if len(seen) > 0.9 * len(track.poses):
        return False
    step = (
        float(np.median(np.hypot(*np.diff(track.poses[seen, :2], axis=0).T / np.diff(seen))))
        if len(seen) > 1
        else 0.0
    )
    margin = track.appearance.bounding_radius + 2 * step + 2 if step > RESTING else 0.0
    ends = [t for t, end in ((seen[0], 0), (seen[-1], len(track.poses) - 1)) if t != end]
    inside = [
        margin < x < shape[1] - 1 - margin and margin < y < shape[0] - 1 - margin
        for x, y in track.poses[ends, :2]
    ]
    return any(inside)


GONE = 0.1
"""Share of the most that was seen of an arm that may be left in the end."""


def _withdraws(track: Track, frames: np.ndarray, level: float) -> bool:
    """Whether a part reaches into the picture across its border whenever it is seen, and is gone in
    the end: an arm that held something, or set it going, whose other end nobody sees. level: by
    which colours differ."""
    if track.appearance.shape == "sprite" or track.seen.sum() < 3:
        return False
    areas = []
    for t in np.flatnonzero(track.seen):
        frame = frames[t]
        layer = track.appearance.cover(frames.shape[1:3], track.poses[t])
        rows, columns = np.nonzero(layer[2] > 0.5) if layer is not None else np.zeros((2, 0), int)
        areas.append(len(rows))
        if layer is not None and len(rows):
            within = differs(frame, np.asarray(track.appearance.colour), 2 * level) == 0
            _, labels = cv2.connectedComponents(within.astype(np.uint8), connectivity=4)
            own = labels[rows + layer[1], columns + layer[0]]
            if not (own > 0).any():
                return False
            edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
            if np.bincount(own[own > 0]).argmax() not in edge:
                return False
    left = areas[-1] if track.seen[-1] else 0
    return left <= GONE * max(areas)


def _halo(piece: Track, whole: Track) -> bool:
    """Whether one track is the compressed edge of another: always at it, small, and hardly another
    colour."""
    if piece.appearance.colour is None or whole.appearance.colour is None:
        return False
    both = piece.seen & whole.seen
    if (
        both.sum() < 0.9 * piece.seen.sum()
        or piece.appearance.area > 0.2 * whole.appearance.area
        or math.dist(piece.appearance.colour, whole.appearance.colour) > HUE
    ):
        return False
    apart = np.hypot(*(piece.poses[both, :2] - whole.poses[both, :2]).T)
    return bool((apart < whole.appearance.bounding_radius + 1.0).mean() > 0.9)


def _fragment(piece: Track, whole: Track) -> bool:
    """Whether one track is what shows of another one while that has no pose of its own."""
    both, alone = piece.seen & whole.seen, piece.seen & ~whole.seen
    if (
        whole.seen.sum() < 2 * piece.seen.sum()
        or both.sum() > 0.2 * piece.seen.sum()
        or math.dist(piece.appearance.colour, whole.appearance.colour) > 40
    ):
        return False
    times, known = np.arange(len(piece.poses)), np.flatnonzero(whole.seen)
    there = np.stack([np.interp(times, known, whole.poses[known, d]) for d in range(2)], 1)
    away = np.hypot(*(piece.poses[alone, :2] - there[alone]).T)
    step = float(np.median(np.hypot(*np.diff(whole.poses[known, :2], axis=0).T / np.diff(known))))
    return bool(
        np.median(away)
        < whole.appearance.bounding_radius + piece.appearance.bounding_radius + 2 * step
    )


def _path(name: str, track: Track, video: Video, noise: float, filmed: bool) -> Path:
    xy, angle, dt = track.poses[:, :2], track.poses[:, 2], video.steps
    whole = _inside(track, video.shape)
    floor = (
        0.05 if track.appearance.shape == "sprite" else 0.02
    )  # a cut-out is placed a little less exactly than a flat shape
    sigma = max(noise_of(xy[:, 0], floor, dt), noise_of(xy[:, 1], floor, dt))
    sigma_angle = noise_of(
        np.where(whole, angle, np.nan), 0.02 / max(track.appearance.bounding_radius, 2.0), dt
    )
    if name not in video.guide.tracks and (off := strays(xy, sigma, dt)):
        xy = xy.copy()
        xy[off] = np.nan
    seen = np.isfinite(xy[:, 0])
    spread = np.ptp(xy[seen], axis=0).max() if seen.any() else 0.0
    swing = np.ptp(angle[whole]) * track.appearance.bounding_radius if whole.sum() > 2 else 0.0
    moves = bool(spread > max(0.7, 5 * sigma))
    turns = bool(
        track.appearance.turns
        and np.isfinite(swing)
        and swing > max(1.2, 5 * sigma_angle * track.appearance.bounding_radius)
    )
    on_grid = any(by_whole_pixels(series) for series in xy[seen].T) if seen.sum() > 6 else False
    travel = float(np.hypot(*np.diff(xy[seen], axis=0).T).sum())
    return Path(
        name,
        track.appearance,
        xy,
        angle,
        sigma,
        sigma_angle,
        moves,
        turns,
        tuple(kinks(xy, sigma, dt)),
        systematic=0.0 if on_grid or not noise else systematic(sigma, travel, filmed),
        radii=track.radii,
    )


def _inside(track: Track, shape: tuple[int, int]) -> np.ndarray:
    """(T,) bool: frames that show the whole part with its angle (all that do so in part, if the
    clip never shows it whole)."""
    known = np.isfinite(track.poses).all(1)
    x, y, reach = track.poses[:, 0], track.poses[:, 1], track.appearance.bounding_radius * 0.8
    with np.errstate(invalid="ignore"):
        whole = (
            known
            & (x > reach)
            & (x < shape[1] - 1 - reach)
            & (y > reach)
            & (y < shape[0] - 1 - reach)
        )
    return whole if whole.sum() >= 5 else known


def kinks(xy: np.ndarray, sigma: float, dt: Steps = 1.0) -> list[int]:
    """Frames at which the velocity jumps: second differences far above those of the frames around
    them, or what drowns in noise there (``breaks``). Two jumps in a row count as two where they
    point in different directions (a corner)."""
    second = timing.bends(xy, dt)
    size = np.hypot(second[:, 0], second[:, 1])
    known = np.isfinite(size)
    if known.sum() < 5:
        return []
    found, away = [], second - np.nanmedian(second, axis=0)
    deviation = np.hypot(*away.T)
    usual = max(float(np.nanmedian(deviation)), 2.5 * sigma)
    step = np.hypot(*np.nan_to_num(timing.strides(xy, dt)).T)
    for k in np.flatnonzero(known):
        speed = max(step[k], step[k + 1])
        first = int(np.clip(k - 3, 0, max(len(deviation) - 7, 0)))
        local = deviation[first : first + 7]
        alike = np.abs(away[max(0, k - 1) : k + 2] @ away[k]) / max(deviation[k], 1e-9)
        if (
            deviation[k] > max(6 * usual, 0.12 * speed, 0.5)
            and deviation[k] >= np.nanmax(alike) - 1e-9
            and deviation[k] > 3 * np.nanquantile(local, 1 / 3)  # another may be near
        ):
            found.append(int(k))
    midway = {
        k
        for k in found
        if k - 1 in found and away[k] @ away[k - 1] > 0.5 * deviation[k] * deviation[k - 1]
    }  # between two frames: shows at both
    plain = {*(k + 1 for k in found if k not in midway), *_hidden_jumps(xy, usual, dt)}
    plain |= {k for k in arrests(xy, sigma, dt) if all(abs(k - p) > 2 for p in plain)}
    drowned = [k for k in breaks(xy, sigma, dt) if all(abs(k - p) > NEAR for p in plain)]
    return sorted({*plain, *drowned})


NEAR = 6
"""Frames within which a jump that drowns in noise is the plain one beside it."""


LONGEST_GAP = 6
"""Frames without a sighting across which a course is carried on from both sides."""


def _hidden_jumps(xy: np.ndarray, usual: float, dt: Steps) -> list[int]:
    """Middles of the gaps in a path in which its velocity must have jumped: the courses before and
    after do not meet. usual: second difference in pixels."""
    known = np.isfinite(xy).all(1)
    seen = np.flatnonzero(known)
    found = []
    for last, first in itertools.pairwise(seen.tolist()):
        gap = first - last - 1
        if not 0 < gap <= LONGEST_GAP:
            continue
        sides = [np.arange(max(0, last - 3), last + 1), np.arange(first, first + 4)]
        sides = [side[side < len(xy)] for side in sides]
        if min(len(side) for side in sides) < 4 or not known[np.concatenate(sides)].all():
            continue
        middle = timing.places(len(xy), dt)[[last, first]].mean()
        place = [timing.places(len(xy), dt)[side] - middle for side in sides]
        courses = [np.polyfit(u, xy[side], 2) for u, side in zip(place, sides, strict=True)]
        rates = [course[1] for course in courses]  # pixels a frame, at the middle
        jump = float(np.hypot(*(rates[1] - rates[0])))
        speed = max(float(np.hypot(*rate)) for rate in rates)
        if jump > max(6 * usual * (1 + gap), 0.5 * speed, 0.5):
            found.append(int(last + (gap + 1) // 2))
    return found


def strays(xy: np.ndarray, sigma: float, dt: Steps = 1.0) -> list[int]:
    """Frames whose place is off while the path goes on as before: what a part half hidden by its
    like looks like."""
    second = np.full(xy.shape, np.nan)
    second[1:-1] = timing.bends(xy, dt)
    away = second - np.nanmedian(second, axis=0) if np.isfinite(second).any() else second
    size = np.hypot(*away.T)
    limit = max(6 * float(np.nanmedian(size)), 8 * sigma) if np.isfinite(size).any() else math.inf
    found = []
    for k in range(3, len(xy) - 3):
        around, quiet = away[k - 1] + away[k + 1], max(size[k - 2], size[k + 2])
        if size[k] > limit and quiet < 0.2 * size[k] and around @ away[k] < -0.6 * size[k] ** 2:
            found.append(k)
    return sorted({*found, *_stray_pairs(xy, sigma, dt), *_lone(xy, sigma, dt)})


def _lone(xy: np.ndarray, sigma: float, dt: Steps) -> set[int]:
    """One or two sightings at an end of a path, apart from the rest of it in time and off the
    course of that: something else, or the body while it was still held."""
    found: set[int] = set()
    place, seen = timing.places(len(xy), dt), np.flatnonzero(np.isfinite(xy).all(1))
    for order in (seen, seen[::-1]):
        gaps = np.flatnonzero(np.abs(np.diff(order)) > 1)
        count = int(gaps[0]) + 1 if len(gaps) else len(order)
        near = order[count : count + 6]
        if count > 2 or len(near) < 6:
            continue
        since = place[near[0]]
        course = np.polyfit(place[near] - since, xy[near], 2)
        off = np.hypot(*(xy[order[:count]] - np.vander(place[order[:count]] - since, 3) @ course).T)
        step = np.hypot(*np.diff(xy[near[:2]], axis=0)[0]) / abs(int(near[1]) - int(near[0]))
        if off.min() > max(8 * sigma, 0.5 * step):
            found |= {int(t) for t in order[:count]}
    return found


def _stray_pairs(xy: np.ndarray, sigma: float, dt: Steps) -> set[int]:
    """Two frames in a row whose places are off one smooth course through the three before and the
    three after them."""
    found: set[int] = set()
    place = timing.places(len(xy), dt)
    for k in range(3, len(xy) - 4):
        near = np.array([k - 3, k - 2, k - 1, k + 2, k + 3, k + 4])
        at, pair = place[near] - place[k], place[[k, k + 1]] - place[k]
        if not np.isfinite(xy[k - 3 : k + 5]).all():
            continue
        course = np.polyfit(at, xy[near], 2)
        off = np.hypot(*(xy[[k, k + 1]] - np.vander(pair, 3) @ course).T).min()
        rest = np.hypot(*(xy[near] - np.vander(at, 3) @ course).T).max()
        if off > 8 * sigma and rest < 0.15 * off:
            found |= {k, k + 1}
    return found


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pivot:
    """A point fixed in two bodies. own: in the body's frame (from its centre), other: in the other
    body's frame, or in the picture for the ground. rms: distance in pixels that remains; spread:
    uncertainty of the place in pixels. rest: what remains, (N,) pixels per direction."""

    own: tuple[float, float]
    other: tuple[float, float]
    rms: float
    spread: float
    rest: tuple[np.ndarray, ...] = ()


def _rotations(angle: np.ndarray) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)


def pivot(body: Path, other: Path | None = None) -> Pivot | None:
    """The best common point of a body and another (or the picture), by linear least squares.

    Solves R(t) p + c(t) = R'(t) p' + c'(t) over all frames for p and p', with a weak pull of p
    towards the body's own centre line so that a small swing leaves no nonsense. A few frames that
    do not fit at all are left out: they were read wrongly. None when too few frames are seen.
    """
    both = np.flatnonzero(body.seen if other is None else body.seen & other.seen)
    if len(both) < 4 or not body.turns:
        return None
    first, rest = _common_point(body, other, both)
    off = np.hypot(*rest.T)
    kept = both[off <= 6 * np.median(off) + 0.3]
    return (
        first
        if len(kept) == len(both) or len(kept) < MOSTLY * len(both)
        else _common_point(body, other, kept)[0]
    )


MOSTLY = 0.85
"""Share of frames that a joint has to explain when some are read wrongly."""


def _common_point(body: Path, other: Path | None, both: np.ndarray) -> tuple[Pivot, np.ndarray]:
    """The common point over the frames ``both``, and what is left (N, 2) in pixels."""
    first, left = _least(body, other, both, 1.0)
    size = body.appearance.size
    if body.appearance.shape != "box" or max(size) < THRESHOLDS.rod * min(size):
        return first, left
    along, across = np.sqrt(np.mean(left**2, axis=0))  # where ends are hidden a rod slips
    if along < 3.0 * max(float(across), 0.02):
        return first, left
    return _least(body, other, both, max(float(across), 0.02) / float(along))


def _least(
    body: Path, other: Path | None, both: np.ndarray, weight: float
) -> tuple[Pivot, np.ndarray]:
    """The common point by least squares, and what is left (N, 2) in pixels along the body's longer
    side, times ``weight``, and across."""
    rotation = _rotations(body.angle[both])
    theirs = (
        np.broadcast_to(np.eye(2), rotation.shape)
        if other is None
        else _rotations(other.angle[both])
    )
    offset = -body.xy[both] if other is None else other.xy[both] - body.xy[both]
    own = np.swapaxes(rotation, 1, 2) * np.array([weight, 1.0])[:, None]
    design = (own @ np.concatenate([rotation, -theirs], -1)).reshape(-1, 4)
    target = (own @ offset[..., None]).reshape(-1)
    pull = 0.02 * math.sqrt(len(both))
    rows, values = [pull * np.array([0.0, 1.0, 0.0, 0.0])], [0.0]
    if other is not None and not other.turns:
        rows.append(pull * 0.1 * np.array([0.0, 0.0, 1.0, 0.0]))
        values.append(0.0)
    design_all, target_all = np.vstack([design, rows]), np.append(target, values)
    solution, *_ = np.linalg.lstsq(design_all, target_all, rcond=None)
    rest = design @ solution - target
    rms = float(np.sqrt(np.mean(rest**2)))
    covariance = np.linalg.pinv(design_all.T @ design_all) * max(rms, 0.05) ** 2
    left = rest.reshape(-1, 2)
    spread = float(np.sqrt(np.trace(covariance[:2, :2])))
    return Pivot(tuple(solution[:2]), tuple(solution[2:]), rms, spread, tuple(left.T)), left


def orbit(path: Path) -> Pivot | None:
    """A point of the picture at constant distance from the body's centre: circle through the path
    (least squares), its own distance from the pivot as ``own``. None where the path is no more bent
    than a straight line measured as well.

    The circle is sought as its curvature, direction and distance at the middle of the path, which
    has no singularity where the centre is far outside the picture (Gander, Golub and Strebel 1994
    discuss why centre and radius have one).
    """
    points = path.xy[path.seen]
    if len(points) < 6:
        return None
    middle, _, _ = line_of_travel(path)
    p = points - middle
    size = max(float(np.abs(p).max()), 1.0)
    fit = _circle(p / size)
    if fit is None:
        return None
    (bend, heading, away), rest, errors = fit
    rms = float(np.sqrt(np.mean(rest**2)) * size)
    error = errors[0] * max(rms, path.floor) / max(rms, 1e-9)
    if abs(bend) < CURVED * error:
        return None
    radius = size / abs(bend)
    normal = np.array([math.cos(heading), math.sin(heading)])
    centre = middle + size * (away - 1.0 / bend) * normal
    spread = radius * error / abs(bend)
    return Pivot((radius, 0.0), (float(centre[0]), float(centre[1])), rms, spread, (rest * size,))


CURVED = 4.0
"""Standard errors by which a path must be bent before a point it keeps its distance from is sought."""


def _circle(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Circle through points (N, 2) around the origin, of order one: (curvature, direction of its
    normal, distance along it), distances that remain (N,), standard errors of the three."""

    def rest(v: np.ndarray) -> np.ndarray:
        normal = np.array([math.cos(v[1]), math.sin(v[1])])
        off = p - v[2] * normal
        height = 0.5 * v[0] * (off**2).sum(1) + off @ normal
        return 2 * height / (1 + np.sqrt(np.maximum(1 + 2 * v[0] * height, 1e-9)))

    _, _, axes = np.linalg.svd(p, full_matrices=False)
    start = math.atan2(axes[1][1], axes[1][0])
    fits = [least_squares(rest, [bend, start, 0.0], method="lm", max_nfev=80) for bend in (-1, 1)]
    best = min(fits, key=lambda found: found.cost)
    inverse = np.linalg.pinv(best.jac.T @ best.jac)
    variance = 2 * best.cost / max(len(p) - 3, 1)
    if not np.isfinite(best.fun).all() or abs(best.x[0]) < 1e-9:
        return None
    return best.x, best.fun, np.sqrt(np.maximum(np.diag(inverse) * variance, 1e-18))


def line_of_travel(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Straight line through a path: (point (2,), unit direction (2,), rms distance from it in
    pixels)."""
    points = path.xy[path.seen]
    middle = points.mean(0)
    _, s, v = np.linalg.svd(points - middle, full_matrices=False)
    direction = v[0] if abs(v[0][0]) < 1e-9 or v[0][0] > 0 else -v[0]
    return middle, direction, float(s[1] / math.sqrt(len(points))) if len(s) > 1 else 0.0


# --------------------------------------------------------------------------------------------------


def bearing(offset: np.ndarray) -> np.ndarray:
    """(T,) directions of (T, 2) offsets, without jumps by whole turns; NaN where an offset is."""
    directions = np.arctan2(offset[:, 1], offset[:, 0])
    known = np.isfinite(directions)
    directions[known] = np.unwrap(directions[known])
    return directions


def smooth(
    series: np.ndarray, dt: Steps, cuts: Sequence[int] = (), window: int = 7
) -> tuple[np.ndarray, np.ndarray]:
    """Local quadratic least squares: (T, d) series -> (values, derivative per second), never across
    a cut."""
    known = np.isfinite(series).all(1)
    place, step = timing.places(len(series), dt), timing.usual_step(dt)
    near, level, slope = _local(np.asarray(place, float).tobytes(), known.tobytes(), *cuts, window)
    around = np.where(known[:, None], series, 0.0)[near]
    told = np.asarray(level.any(1))[:, None]
    values = np.where(told, np.einsum("tk,tkd->td", level, around), series)
    return values, np.einsum("tk,tkd->td", slope, around) / step


@lru_cache(maxsize=64)
def _local(places: bytes, seen: bytes, *cuts_: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What ``smooth`` does to every series that is seen in the same frames: (T, window) frames that
    count, and their weights in value and slope (per place), 0 where nothing can be said. cuts_: the
    last is the window."""
    place, seen_at = np.frombuffer(places), np.frombuffer(seen, bool)
    *cuts, window = cuts_
    frames = np.zeros((len(place), window), int)
    level, slope = np.zeros((2, len(place), window))
    for start, stop in segments(len(place), cuts):
        index = np.arange(start, stop)
        known = index[seen_at[start:stop]]
        for t in index if len(known) > 1 else ():
            near = known[np.argsort(np.abs(known - t), kind="stable")[:window]]
            u = place[near] - place[t]
            powers = np.vander(u / np.abs(u).max(), min(2, len(near) - 1) + 1, increasing=True)
            weights = np.linalg.pinv(powers)
            frames[t, : len(near)], level[t, : len(near)] = near, weights[0]
            slope[t, : len(near)] = weights[1] / np.abs(u).max()
    return frames, level, slope


def segments(length: int, cuts: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of frames between cuts. The frame of a cut belongs to none: the jump happens at most
    half a frame before or after it."""
    edges = [-1, *sorted({c for c in cuts if 0 <= c < length}), length]
    return [(a + 1, b) for a, b in itertools.pairwise(edges) if b > a + 1]


def integrate_twice(values: np.ndarray, dt: Steps) -> np.ndarray:
    """Double time integral from the first row (trapezoid, then exact for a linear course of the
    acceleration)."""
    if isinstance(dt, np.ndarray):
        steps = dt[: len(values) - 1].reshape(-1, *[1] * (values.ndim - 1))
        return _integrated(values, steps)
    speed = np.zeros_like(values)
    place = np.zeros_like(values)
    speed[1:] = np.cumsum((values[1:] + values[:-1]) / 2, axis=0) * dt
    place[1:] = np.cumsum(speed[:-1] * dt + (2 * values[:-1] + values[1:]) * dt * dt / 6, axis=0)
    return place


def _integrated(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The same over uneven steps (T - 1, ...)."""
    speed, place = np.zeros_like(values), np.zeros_like(values)
    speed[1:] = np.cumsum((values[1:] + values[:-1]) / 2 * steps, axis=0)
    place[1:] = np.cumsum(
        speed[:-1] * steps + (2 * values[:-1] + values[1:]) * steps**2 / 6, axis=0
    )
    return place


@dataclass(frozen=True)
class Explanation:
    """Coefficients of the chosen terms. bic: deviance (belief) with the price of the terms (priors),
    lower is better. rms: unexplained position error in
    pixels (or radians). names: the chosen terms in the order in which they were taken."""

    names: tuple[str, ...]
    values: Mapping[str, float]
    errors: Mapping[str, float]
    bic: float
    rms: float
    floor: float


Feature = tuple[str, np.ndarray, Callable[[float], bool]]
"""(name, acceleration (T, d) per unit of the coefficient, is this coefficient admissible?)."""


class Regression:
    """Coefficients of chosen features in the integral form; every segment has its own start place
    and speed.

    series: (T, d). sigma: what a number may be off by at least. always: (T, d) acceleration that is
    known and only subtracted. places: as features, but of the series itself, not of its
    acceleration. filmed: by a camera, not drawn.
    """

    def __init__(
        self,
        series: np.ndarray,
        sigma: float,
        dt: Steps,
        features: Sequence[Feature],
        cuts: Sequence[int] = (),
        always: np.ndarray | None = None,
        places: Sequence[Feature] = (),
        filmed: bool = False,
    ):
        self.names = tuple(name for name, *_ in (*features, *places))
        self.filmed = filmed
        self.sigma = sigma
        self.dims = series.shape[1]
        self.pieces: list[int] = []
        self.bands: list[int] = []
        columns, targets = [], []
        for a, b in segments(len(series), cuts):
            known = np.isfinite(series[a:b]).all(1)
            if known.sum() < 2:
                continue
            part = timing.steps_between(dt, a, b)
            forms = [integrate_twice(np.nan_to_num(f[a:b]), part) for _, f, _ in features]
            forms += [np.nan_to_num(f[a:b]) for _, f, _ in places]
            base = 0.0 if always is None else integrate_twice(np.nan_to_num(always[a:b]), part)
            time = timing.places(b - a, part)[known] / (b - a)
            start, _ = np.linalg.qr(np.stack([np.ones(len(time)), time], 1))
            stacked = np.stack([*forms, series[a:b] - base])[:, known]
            free = stacked - np.einsum("ni,mi,kmd->knd", start, start, stacked)
            for d in range(series.shape[1]):
                columns.append(free[:-1, :, d].T)
                targets.append(free[-1, :, d])
                self.pieces.append(len(time))
                self.bands.append(bandwidth(series[a:b, d][known], sigma))
        if columns:
            self.columns, self.target = np.concatenate(columns), np.concatenate(targets)
            self.scale = np.maximum(np.abs(self.columns).max(0, initial=0.0), 1e-12)

    def least_misfit(self) -> float:
        """A deviance that no choice among the features leaves less than: of what all of them
        together leave, wherever it is put."""
        if not self.pieces:
            return math.inf
        design = self.columns / self.scale
        rest = design @ np.linalg.lstsq(design, self.target, rcond=1e-10)[0] - self.target
        return least(float(rest @ rest), self.pieces, self.bands, self.sigma)

    def fit(self, names: Sequence[str]) -> Explanation:
        """The least-squares coefficients of the features of these names."""
        if not self.pieces:
            return Explanation((), {}, {}, math.inf, math.inf, self.sigma)
        chosen = [self.names.index(name) for name in names]
        design, scale = self.columns[:, chosen] / self.scale[chosen], self.scale[chosen]
        solution, *_ = np.linalg.lstsq(design, self.target, rcond=1e-10)
        rest = design @ solution - self.target
        n, unknown, rss = len(rest), len(chosen) + 2 * len(self.pieces), float(rest @ rest)
        spread = np.diag(np.linalg.pinv(design.T @ design)) * max(
            rss / max(n - unknown, 1), self.sigma**2
        )
        error = np.sqrt(spread, out=np.full(len(spread), np.nan), where=spread >= 0) / scale
        residuals = np.split(rest, np.cumsum(self.pieces)[:-1])
        return Explanation(
            tuple(names),
            dict(zip(names, (solution / scale).tolist(), strict=True)),
            dict(zip(names, error.tolist(), strict=True)),
            misfit(residuals, self.sigma, self.bands)
            + complexity(unknown, n // self.dims)
            + price(names, self.filmed),
            math.sqrt(rss / n),
            self.sigma,
        )


def regress(
    series: np.ndarray,
    sigma: float,
    dt: Steps,
    features: Sequence[Feature],
    cuts: Sequence[int] = (),
    always: np.ndarray | None = None,
    places: Sequence[Feature] = (),
) -> Explanation:
    """Coefficients of all of the given features (see Regression)."""
    regression = Regression(series, sigma, dt, features, cuts, always, places)
    return regression.fit(regression.names)


def centre_of_mass(path: Path, dt: Steps) -> tuple[float, float] | None:
    """Where the centre of mass of a turning body lies seen from its drawn centre, in its own frame
    (pixels): the point that flies straightest. None when the drawn centre does as well, or when the
    body turns too little to tell."""
    known = np.isfinite(path.angle) & path.seen
    if known.sum() < 8 or np.ptp(path.angle[known]) < 1.0:
        return None
    c, s = np.cos(path.angle), np.sin(path.angle)
    xy = np.where(known[:, None], path.xy, np.nan)
    one, zero = np.ones(len(xy)), np.zeros(len(xy))
    fields: list[Feature] = [
        ("gx", np.stack([one, zero], 1), bool),
        ("gy", np.stack([zero, one], 1), bool),
    ]
    turned: list[Feature] = [
        ("ox", -np.stack([c, s], 1), bool),
        ("oy", -np.stack([-s, c], 1), bool),
    ]
    plain, offset = (
        min(
            (regress(xy, path.sigma, dt, f, path.kinks, places=p) for f in ([], fields)),
            key=lambda e: e.bic,
        )
        for p in ((), turned)
    )
    away = np.array([offset.values["ox"], offset.values["oy"]])
    clear = float(np.hypot(*away)) > 5 * max(offset.errors["ox"], offset.errors["oy"])
    better = offset.bic < plain.bic - 30 and offset.rms < 0.5 * plain.rms
    return (
        (float(away[0]), float(away[1]))
        if clear and better and np.hypot(*away) < path.appearance.bounding_radius
        else None
    )


EXHAUSTIVE = 150
"""Most choices of terms that are all tried."""


def _alike(name: str) -> str:
    """The kind of a cause of which a body has one at most, "" for others."""
    return next((kind for kind in ("spring", "attraction") if name.startswith(kind)), "")


def _greedy(
    trial: Callable[[Sequence[Feature]], Explanation | None],
    chosen: Sequence[Feature],
    free: Sequence[Feature],
    limit: int,
    best: Explanation,
) -> list[Explanation]:
    """Explanations on the way from ``best`` that adds the best term each time, while that helps."""
    found = []
    while len(chosen) < limit:
        trials = [
            (e.bic, f[0], e, f)
            for f in free
            if f not in chosen and (e := trial([*chosen, f])) is not None
        ]
        if not trials:
            break
        _, _, top, feature = min(trials, key=lambda item: item[:2])
        chosen = [*chosen, feature]
        found += [top, *(e for bic, _, e, f in trials if f is not feature and bic < top.bic + 25)]
        if top.bic > best.bic - 1e-9:
            break
        best = top
    return found


def explain(
    series: np.ndarray,
    sigma: float,
    dt: Steps,
    library: Sequence[Feature],
    cuts: Sequence[int] = (),
    limit: int = 4,
    must: Sequence[str] = (),
    always: np.ndarray | None = None,
    filmed: bool = False,
) -> list[Explanation]:
    """Choices of at most ``limit`` terms beside those it ``must`` have, likeliest (lowest deviance)
    first. All small choices are tried, as far as EXHAUSTIVE goes; from the best of them on, the
    term that helps most is added while it helps. A term is admissible when its coefficient has the
    right sign; that it is needed at all, its price decides.
    """
    library = [f for f in library if f[0] in must or proposed(f[0])]
    regression = Regression(series, sigma, dt, library, cuts, always, filmed=filmed)
    taken = [f for f in library if f[0] in must]
    free = [f for f in library if f[0] not in must]

    def trial(features: Sequence[Feature]) -> Explanation | None:
        return _admissible(regression, features)

    first = regression.fit([name for name, *_ in taken])
    found = [first]
    if math.isinf(first.bic):
        return found
    size = _exhausted(len(free), limit)
    for few in range(1, size + 1):
        trials = (trial([*taken, *more]) for more in itertools.combinations(free, few))
        found += [e for e in trials if e is not None]
    best = min(found, key=lambda e: e.bic)
    if size < limit:
        found += _greedy(
            trial, [f for f in library if f[0] in best.names], free, limit + len(taken), best
        )
    return _that_pay(found)


def _admissible(regression: Regression, features: Sequence[Feature]) -> Explanation | None:
    """The fit of these terms; None where two are alike or a coefficient has the wrong sign."""
    kinds = [alike for name, *_ in features if (alike := _alike(name))]
    if len(set(kinds)) < len(kinds):
        return None
    found = regression.fit([name for name, *_ in features])
    return found if all(ok(found.values[name]) for name, _, ok in features) else None


def _exhausted(free: int, limit: int) -> int:
    """Up to how many of the free terms all choices are tried, within EXHAUSTIVE of them."""
    size, tried = 0, 0
    while size < limit and tried + math.comb(free, size + 1) <= EXHAUSTIVE:
        size += 1
        tried += math.comb(free, size)
    return size


def _that_pay(found: Sequence[Explanation]) -> list[Explanation]:
    """Each choice of terms once, likeliest first, without those in which a cause does not pay for
    itself."""
    by_names = {frozenset(e.names): e for e in reversed(found)}
    needed = [
        e
        for names, e in by_names.items()
        if not any(less < names and by_names[less].bic <= e.bic for less in by_names)
    ]
    return sorted(needed, key=lambda e: e.bic)
