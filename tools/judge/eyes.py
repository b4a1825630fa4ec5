"""Bodies of a drawing over all frames: patches of smooth colour, linked by look and place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.glance.patches import Patch, patches, unlikeness
from tools.judge.circle import Circle
from tools.judge.codec import coded, readable, steadied
from tools.judge.echo import unlike
from tools.judge.trunk import parted
from tools.perception.background import pixel_noise

_MOST = 40  # patches of a frame that are followed
_NOISY = 1.5  # grey levels of noise from which on pictures are smoothed first
_EDGE = 14  # grey levels between neighbours that part two patches of a drawing
_ALIKE = 0.8
_WAY = 3.0  # what a way across the whole picture weighs beside unlikeness
_CRUMB, _THIN = 20, 2.0  # pixels: of the inside, and from its middle to its edge
_SOFT = 4  # pixels around a patch that show the ground
_GROUND = 6.0  # grey levels up to which a patch is a piece of the ground that lines cut off
_RIM = 2  # pixels to the border from which a part may lie beyond it
_TIMES = 3  # times that a piece may come again
_BRIEF = 4  # frames below which a track tells nothing


@dataclass
class Body:
    """One body through a video. places: (T, 2) pixels, NaN where it is not seen. areas: (T,)
    pixels. colours: (T, 3). labels: (T,) its number in the label picture of each frame, 0 = not
    seen. cut: (T,) bool, the picture's border may hide a part of it. circle: that it goes round
    by wide steps."""

    name: str
    places: np.ndarray
    areas: np.ndarray
    colours: np.ndarray
    labels: np.ndarray
    cut: np.ndarray
    circle: Circle | None = None

    @classmethod
    def unseen(cls, length: int) -> Body:
        """Nothing seen of it yet."""
        nan, none = np.full((length, 6), np.nan), np.zeros(length, int)
        return cls("", nan[:, :2], nan[:, 2], nan[:, 3:], none, none.astype(bool))

    @property
    def seen(self) -> np.ndarray:
        """(T,) bool."""
        return np.isfinite(self.places[:, 0])

    @property
    def way(self) -> np.ndarray:
        """(T, 2) its places, unrolled where they go round a circle."""
        return self.places if self.circle is None else self.circle.unrolled(self.places)

    @property
    def flickers(self) -> bool:
        """Whether it comes and goes again and again, mostly for a few frames: a piece of something,
        now apart and now not."""
        turns = np.flatnonzero(np.diff(np.pad(self.seen.astype(int), 1)))
        runs = turns[1::2] - turns[::2]
        return len(runs) > _TIMES and bool(np.median(runs) < _BRIEF)

    @property
    def whole(self) -> np.ndarray:
        """(T,) pixels of its area where all of it is in the picture, else NaN; all areas where it
        never is for long."""
        inside = np.where(self.cut, np.nan, self.areas)
        return inside if np.isfinite(inside).sum() >= _BRIEF else self.areas

    @property
    def radius(self) -> float:
        """Of a disk of the usual area, pixels."""
        return float(np.sqrt(np.nanmedian(self.areas) / np.pi))


@dataclass(frozen=True)
class Sight:
    """bodies: followed over time. labels: (T, H, W) int32, which patch each pixel belongs to in its
    frame, 0 on edges; None where bodies were not found as patches. lines: what is too thin to tell
    its place, but for whether it is there. grounds: per frame the labels of
    patches too large to be bodies. apart: (T, T) how unlike whole pictures are (see echo)."""

    bodies: list[Body]
    shape: tuple[int, int]
    labels: np.ndarray | None = field(default=None, repr=False)
    grounds: tuple[frozenset[int], ...] = ()
    apart: np.ndarray | None = field(default=None, repr=False)
    lines: list[Body] = field(default_factory=list)


def look(frames: np.ndarray) -> Sight:
    """Follow every patch of a drawing: frames (T, H, W, 3) uint8."""
    shown = frames
    if coded(frames):
        frames = np.stack([readable(frame) for frame in frames])
        shown = steadied(frames)
    noisy = pixel_noise(frames[:: max(1, len(frames) // 8)]) > _NOISY
    labels = np.zeros(frames.shape[:3], np.int32)
    grounds, diagonal = [], float(np.hypot(*frames.shape[1:3]))
    tracks, lines = (_Tracks(len(frames), diagonal) for _ in range(2))
    for t, frame in enumerate(frames):
        part = shown[t]
        seen = patches(cv2.medianBlur(part, 5) if noisy else part, _EDGE, patterned=True)
        found = [one for patch in seen for one in parted(patch)]
        for k, patch in enumerate(found, 1):
            labels[t][patch.mask] = k
        grounds.append(frozenset(k for k, patch in enumerate(found, 1) if patch.ground))
        under = [patch.colour for patch in found if patch.ground]
        things = [(k, patch) for k, patch in enumerate(found, 1) if _is_thing(patch, under)]
        thick = {k for k, patch in things if _thick(patch)}
        bodies = [(k, patch) for k, patch in things if k in thick][:_MOST]
        tracks.take(t, [(k, centred(patch, frame)) for k, patch in bodies])
        lines.take(t, [(k, patch) for k, patch in things if k not in thick][:_MOST])
    size = (frames.shape[1], frames.shape[2])
    whole, thin = tracks.finished("body"), lines.finished("line")
    return Sight(whole, size, labels, tuple(grounds), unlike(frames), thin)


def centred(patch: Patch, frame: np.ndarray) -> Patch:
    """The patch with its centre weighted by how much of each pixel it covers, and the area that it
    covers: edges that fall between pixels count, so that neither changes when it turns."""
    window = tuple(slice(max(v.start - _SOFT, 0), v.stop + _SOFT) for v in patch.window)
    inside, part = patch.mask[window].astype(np.uint8), frame[window].astype(np.float32)
    wide = cv2.dilate(inside, np.ones((5, 5), np.uint8))
    ring = cv2.dilate(inside, np.ones((2 * _SOFT + 1, 2 * _SOFT + 1), np.uint8)) - wide
    if not ring.any():
        return patch
    ground = np.median(part[ring > 0], axis=0)
    contrast = patch.colour - ground
    share = ((part - ground) @ contrast / max(float(contrast @ contrast), 1.0)).clip(0, 1)
    cover = np.where(inside > 0, 1.0, share * (wide > 0))
    y, x = np.indices(cover.shape)
    centre = np.array([(x * cover).sum(), (y * cover).sum()]) / cover.sum()
    at = centre + np.array([window[1].start, window[0].start])
    return replace(patch, centre=at, area=float(cover.sum()))


def _is_thing(patch: Patch, under: list[np.ndarray]) -> bool:
    """Neither ground (``under``: colours of the large ones) nor a crumb."""
    if patch.ground or patch.area < _CRUMB:
        return False
    return all(float(np.abs(patch.colour - ground).max()) >= _GROUND for ground in under)


def _thick(patch: Patch) -> bool:
    """No line, whose place depends on how it falls on the pixels."""
    inside = np.pad(patch.mask[patch.window].astype(np.uint8), 1)
    return float(cv2.distanceTransform(inside, cv2.DIST_L2, 3).max()) >= _THIN


class _Tracks:
    """Bodies while they are being followed."""

    def __init__(self, length: int, diagonal: float):
        self._length, self._diagonal = length, diagonal
        self._bodies: list[Body] = []
        self._last: list[tuple[int, Patch]] = []

    def take(self, t: int, found: list[tuple[int, Patch]]) -> None:
        """Give each patch of frame ``t`` to the body that it looks like, else to the one that was
        in its place, else to a new one."""
        free = dict(enumerate(found))
        heads = list(range(len(self._bodies)))
        for cost in (self._by_look, self._by_place):
            rest, left = heads, list(free)
            if not rest or not left:
                break
            table = np.array([[cost(k, t, free[j][1]) for j in left] for k in rest])
            for r, c in zip(*linear_sum_assignment(np.minimum(table, 1e3)), strict=True):
                if table[r, c] < 1e3:
                    self._give(rest[r], t, *free.pop(left[c]))
            heads = [k for k in heads if self._last[k][0] != t]
        for label, patch in free.values():
            self._bodies.append(Body.unseen(self._length))
            self._last.append((t, patch))
            self._give(len(self._bodies) - 1, t, label, patch)

    def _by_look(self, k: int, t: int, patch: Patch) -> float:
        unlike = unlikeness(self._last[k][1], patch)
        return np.inf if unlike > _ALIKE else unlike + self._way(k, t, patch)

    def _by_place(self, k: int, t: int, patch: Patch) -> float:
        before, last = self._last[k]
        gap = float(np.hypot(*(self._ahead(k, t) - patch.centre)))
        near = before == t - 1 and gap < max(last.radius, patch.radius)
        return gap if near else np.inf

    def _way(self, k: int, t: int, patch: Patch) -> float:
        return _WAY * float(np.hypot(*(self._ahead(k, t) - patch.centre))) / self._diagonal

    def _ahead(self, k: int, t: int) -> np.ndarray:
        """Where the body would be at its last velocity."""
        places, before = self._bodies[k].places, self._last[k][0]
        if before and np.isfinite(places[before - 1]).all() and t - before == 1:
            return 2 * places[before] - places[before - 1]
        return places[before]

    def _give(self, k: int, t: int, label: int, patch: Patch) -> None:
        body = self._bodies[k]
        body.places[t], body.areas[t], body.colours[t] = patch.centre, patch.area, patch.colour
        body.labels[t] = label
        size = patch.mask.shape
        body.cut[t] = any(
            w.start <= _RIM or w.stop >= n - _RIM for w, n in zip(patch.window, size, strict=True)
        )
        self._last[k] = (t, patch)

    def finished(self, name: str) -> list[Body]:
        """Those seen long enough, named and numbered in order of first sight."""
        kept = [body for body in self._bodies if body.seen.sum() >= _BRIEF]
        for number, body in enumerate(kept, 1):
            body.name = f"{name}_{number}"
        return kept
