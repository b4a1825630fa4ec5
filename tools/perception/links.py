"""Springs, ropes and threads: what is drawn between a body and a point of the picture, or another
body, and is stretched along the line from one to the other as they move."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import cv2
import numpy as np

from tools.perception.background import bared, densest_colour, differs, fill, threshold
from tools.perception.parts import Track
from tools.perception.tracking import Tracks
from tools.perception.wires import Wire, wire_of
from tools.rendering.links import across_line, begun, link_key, wire_key
from tools.types import Scene

_LOOKED = 12
"""Frames that tell what a link looks like."""
_FEWEST = 4
_ACROSS, _NARROW = 24, 8
"""Pixels to either side of the line at which a link is looked for, at most and at least."""
_SHOWS = 4.0
"""Pixels of a frame that a link must cover."""
_THERE, _ALONG = 0.3, 0.8
"""Coverage from which a link is seen at a place along the line, and share of the line at which."""
_BEYOND = 10
"""Pixels beyond a body in which a link must not go on."""
_TOLD = 0.5
"""Share of the line that must be seen somewhere, free of bodies."""
LEFT = 0.2
"""Share of what is seen along the line that a link of one length may leave unexplained."""
_KEPT = 24
"""Frames of which it is remembered what bodies cover."""

Window = tuple[slice, slice]
"""Rows and columns of a picture."""


class Covers:
    """How far bodies cover the pixels of a clip: drawn once a frame, asked in windows."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._layers = lru_cache(_KEPT)(self._drawn)

    def within(self, t: int, window: Window) -> np.ndarray:
        """(h, w) float32 of a frame's window."""
        top, left = window[0].start, window[1].start
        height, width = window[0].stop - top, window[1].stop - left
        covered = np.zeros((height, width), np.float32)
        for x, y, alpha in self._layers(t):
            low, high = max(y - top, 0), min(y - top + alpha.shape[0], height)
            start, stop = max(x - left, 0), min(x - left + alpha.shape[1], width)
            if low < high and start < stop:
                seen = covered[low:high, start:stop]
                own = alpha[low + top - y : high + top - y, start + left - x : stop + left - x]
                np.maximum(seen, own, out=seen)
        return covered

    def _drawn(self, t: int) -> list[tuple[int, int, np.ndarray]]:
        """Of each body in a frame its window's corner (x, y) and coverage."""
        shape = self._tracks.plate.shape
        poses = [(track.appearance, track.poses[t]) for track in self._tracks.tracks]
        layers = [a.cover((shape[0], shape[1]), p) for a, p in poses if np.isfinite(p[0])]
        return [layer[:3] for layer in layers if layer is not None]


@dataclass(frozen=True)
class Link:
    """strip: (h, w, 4) float32 straight RGBA in [0, 1], from the point (left) to the body. left:
    share of the squared difference from the plate that it leaves. traced: something is seen all
    along the line; whole: and clearly. behind: makes the plate (H, W, 3) uint8 where frames show
    it free, and RGBA (H, W, 4) uint8 of what stands there for good. maps: (2, 3) each, from the
    strip to some frames. noise: of pixels, grey levels. stretch: the longest it is for its
    shortest. bent: tells the line that it is where it is a bent one, as a spring."""

    strip: np.ndarray
    left: float
    traced: bool
    whole: bool
    behind: Callable[[], tuple[np.ndarray, np.ndarray]]
    maps: Sequence[np.ndarray]
    noise: float
    stretch: float
    bent: Callable[[], Wire | None]

    @property
    def certain(self) -> bool:
        """Whether it is drawn as a spring, a rope or a thread would be. The lines of a spring keep
        their width, so that one strip explains the less of it, the more it is stretched."""
        return self.whole and self.left < LEFT * math.sqrt(self.stretch)

    @cached_property
    def plate(self) -> np.ndarray:
        """(H, W, 3) uint8: what lies behind, also where the link was in view all the time."""
        (plate, stays), alpha = self.behind(), self.strip[..., 3].copy()
        alpha[:, :1] = 0.0  # half a pixel at the point is not the link's to draw
        drawn = np.zeros(plate.shape[:2], np.float32)
        for onto in self.maps:
            np.maximum(drawn, cv2.warpAffine(alpha, onto, plate.shape[1::-1]), out=drawn)
        colour = 255.0 * self.strip[0, 0, :3]
        shows = (drawn > 0.05) & ~differs(plate, colour, 3.0 * threshold(self.noise))
        beside = cv2.dilate(shows.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        plate = fill(plate, beside & (drawn > 0.02))
        return np.where((stays[..., 3] > 0)[..., None], stays[..., :3], plate)


@dataclass(frozen=True)
class _Looked:
    """Where a link is looked for. frames: the whole pictures; times: their numbers. ends: (n, 2)
    places of the body. anchors, offset: (n, 2) where the link begins, and px from the body's place
    at which it ends. length: of its strip, px."""

    frames: Sequence[np.ndarray]
    times: Sequence[int]
    tracks: Tracks
    covers: Covers
    track: Track
    ends: np.ndarray
    anchors: np.ndarray
    offset: float
    length: int

    @property
    def stretch(self) -> float:
        """The longest it is for its shortest."""
        away = np.hypot(*(self.ends - self.anchors).T) - self.offset
        return float(away.max() / away.min())

    def maps(self, half: int) -> list[np.ndarray]:
        """(2, 3) each, from a strip of so many pixels to either side of the line to a frame."""
        along = (self.offset, self.length, 2 * half + 1)
        places = zip(self.anchors, self.ends, strict=True)
        return [across_line(anchor, end, *along) for anchor, end in places]


def link_of(
    frames: np.ndarray,
    tracks: Tracks,
    name: str,
    anchor: Sequence[float | str],
    offset: float,
    covers: Covers | None = None,
) -> Link | None:
    """What best joins the body ``name`` and a point (x, y), or another body (its name, and px from
    its centre at which the link begins); None where nothing is drawn there.

    frames: (T, H, W, 3) uint8. covers: of the tracks, where many points are asked about. Along the
    line everything is stretched, across it keeps its width; pixels that a body covers tell
    nothing."""
    track = tracks[name]
    ends = track.poses[:, :2]
    anchors = _anchors(tracks, ends, anchor)
    away = np.hypot(*(ends - anchors).T) - offset
    times = np.flatnonzero(np.isfinite(away) & (away > 8.0))
    if len(times) < _FEWEST:
        return None
    times = times[np.unique(np.linspace(0, len(times) - 1, _LOOKED).astype(int))]
    looked = _Looked(
        *([frames[t] for t in times], times.tolist(), tracks, covers or Covers(tracks), track),
        *(ends[times], anchors[times], offset, round(float(np.median(away[times])))),
    )
    wide = int(min(_ACROSS, max(_NARROW, track.appearance.radius + 6.0)))
    found: list[Link] = []
    for half in dict.fromkeys((wide, _NARROW)):
        link = _within(half, looked)
        found += [link] if link is not None else []
        if link is not None and link.certain:
            break
    return min(found, key=lambda link: link.left, default=None)


def _anchors(tracks: Tracks, ends: np.ndarray, anchor: Sequence[float | str]) -> np.ndarray:
    """(T, 2): where a link begins in each frame."""
    if not isinstance(anchor[0], str):
        return np.broadcast_to(np.asarray(anchor, float), ends.shape)
    return begun(tracks[anchor[0]].poses[:, :2], ends, float(anchor[1]))


def _within(half: int, looked: _Looked) -> Link | None:
    """The link within so many pixels to either side of the line: something else may lie along
    it."""
    tracks, size = looked.tracks, (2 * half + 1, looked.length)
    maps = looked.maps(half)
    window = _around(maps, size, tracks.plate.shape)
    covered = [looked.covers.within(t, window) for t in looked.times]
    local = [_moved(onto, window) for onto in maps]
    seen, open_ = _strips(looked.frames, maps, size), _strips(covered, local, size) < 0.02
    behind = _beside(seen, open_, tracks.noise)
    if behind is None:
        plate = _without(looked, maps, size, window, covered)
        behind = _strips([plate] * len(maps), local, size)
    found = _drawn(seen, behind, open_, tracks.noise)
    if found is None or _goes_on(looked, found[0]):
        return None
    bare = partial(_bare, looked, maps, size, 255.0 * found[0][0, 0, :3])
    steps = np.array([float(np.hypot(*onto[:, 0])) for onto in maps])
    bent = partial(_bent, found[0], seen, behind, open_, tracks.noise, steps)
    return Link(*found, bare, maps, tracks.noise, looked.stretch, bent)


def _bent(
    strip: np.ndarray,
    seen: np.ndarray,
    behind: np.ndarray,
    open_: np.ndarray,
    noise: float,
    steps: np.ndarray,
) -> Wire | None:
    """The bent line that strips (n, h, w, 3) show over what lies behind them."""
    share, told = _covered(seen, behind, open_, 255.0 * strip[0, 0, :3], threshold(noise))
    return wire_of(strip[..., 3], share, told, steps)


def _covered(
    seen: np.ndarray, behind: np.ndarray, open_: np.ndarray, colour: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """(n, h, w) how far a colour covers what lies behind it, in [0, 1], and bool where that is
    told: elsewhere the plate shows it anyway."""
    way = colour - behind
    square = np.maximum(_total(way**2), level**2)
    share = np.clip(_total((seen - behind) * way) / square, 0.0, 1.0)
    return share, open_ & (square > (3.0 * level) ** 2)


def _goes_on(looked: _Looked, strip: np.ndarray) -> bool:
    """Whether the same is drawn beyond the body as well, and does not move: a rail, not what holds
    it, as another spring on the other side may."""
    reach, height = looked.track.appearance.bounding_radius + 2.0, len(strip)
    colour, rows = 255.0 * strip[0, 0, :3], strip[::-1, :, 3].max(1) > _THERE
    shown, tracks = [], looked.tracks
    level = threshold(tracks.noise)
    for frame, anchor, end in zip(looked.frames, looked.anchors, looked.ends, strict=True):
        away = end - anchor
        beyond = end + (reach + _BEYOND) * away / max(float(np.hypot(*away)), 1e-6)
        onto = across_line(beyond, end, reach, _BEYOND, height)
        seen, plate = (
            _along(picture, onto, (height, _BEYOND)) for picture in (frame, tracks.plate)
        )
        sides = 0.5 * (seen[:2].mean(0) + seen[-2:].mean(0))
        way = colour - sides
        share = ((seen - sides) * way).sum(-1) / np.maximum((way**2).sum(-1), 1.0)
        share[differs(seen, plate, level)] = 0.0
        shown.append(share[rows].max(0).mean() if rows.any() else 0.0)
    return float(np.median(shown)) > _THERE


def _strips(
    pictures: Sequence[np.ndarray], maps: Sequence[np.ndarray], size: tuple[int, int]
) -> np.ndarray:
    """(n, h, w, ...): each picture sampled along its line."""
    return np.stack([_along(p, onto, size) for p, onto in zip(pictures, maps, strict=True)])


def _beside(seen: np.ndarray, open_: np.ndarray, noise: float) -> np.ndarray | None:
    """What lies behind the line (n, h, w, 3), as to both sides of it if these are alike where no
    body is, since a rope may be in the plate; else None, and the plate tells."""
    sides = np.stack([seen[:, :2].mean(1), seen[:, -2:].mean(1)])
    alike = np.abs(sides[0] - sides[1]).max(-1) < threshold(noise)
    free = open_.all(1)
    if not free.any() or alike[free].mean() < _ALONG:
        return None
    return np.broadcast_to(sides.mean(0)[:, None], seen.shape)


def _without(
    looked: _Looked, maps: Sequence[np.ndarray], size: tuple[int, int], window: Window,
    covered: Sequence[np.ndarray], all_over: bool = False,
) -> np.ndarray:  # fmt: skip
    """A window of the plate without what is drawn along the line, where some frame shows it free
    of that; elsewhere than along the line only where ``all_over`` says so."""
    whole = np.ones(size, np.float32)
    hidden = np.empty((len(maps), *covered[0].shape), bool)
    line = np.zeros(covered[0].shape, bool)
    for own, onto, over in zip(hidden, maps, covered, strict=True):
        drawn = cv2.warpAffine(whole, _moved(onto, window), own.shape[::-1]) > 0
        line |= drawn
        np.logical_or(drawn, cv2.dilate(over, np.ones((5, 5))) > 0.02, out=own)
    frames, plate = [frame[window] for frame in looked.frames], looked.tracks.plate[window]
    asked = None if all_over else _sampled(line)
    return bared(frames, plate, hidden, looked.tracks.noise, asked)


def _bare(
    looked: _Looked, maps: Sequence[np.ndarray], size: tuple[int, int], colour: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The whole plate without what is drawn along the line, and RGBA of what never changes and is
    not of the link's ``colour``: a nail that it hangs on."""
    height, width = looked.tracks.plate.shape[:2]
    everything = slice(0, height), slice(0, width)
    covered = [looked.covers.within(t, everything) for t in looked.times]
    plate = _without(looked, maps, size, everything, covered, True)
    first, level = looked.frames[0], threshold(looked.tracks.noise)
    steady = ~np.logical_or.reduce([differs(frame, first, level) for frame in looked.frames[1:]])
    other = (steady & differs(first, colour, level)).astype(np.uint8)
    stays = steady & (cv2.dilate(other, np.ones((3, 3), np.uint8)) > 0)
    stays &= np.maximum.reduce(covered) < 0.02  # what moves slowly is no nail
    return plate, np.dstack([first, 255 * stays.astype(np.uint8)])


def _sampled(line: np.ndarray) -> np.ndarray:
    """The pixels that are read along a line: its own, their neighbours, and the window's rim, which
    stands for what lies outside the picture."""
    read = cv2.dilate(line.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    read[[0, -1]] = read[:, [0, -1]] = True
    return read


def _around(
    maps: Sequence[np.ndarray], size: tuple[int, int], shape: tuple[int, ...], pad: int = 4
) -> Window:
    """The part of a picture that strips of ``size`` (h, w) lie in, with pixels to spare."""
    ends = np.array([(x, y, 1.0) for x in (0, size[1]) for y in (0, size[0])]).T
    places = np.concatenate([onto @ ends for onto in maps], 1)
    low = np.floor(places.min(1)).astype(int) - pad
    high = np.ceil(places.max(1)).astype(int) + pad
    x0, y0 = np.minimum(np.maximum(low, 0), (shape[1] - 1, shape[0] - 1)).tolist()
    x1, y1 = np.maximum(np.minimum(high, (shape[1], shape[0])), (x0 + 1, y0 + 1)).tolist()
    return slice(y0, y1), slice(x0, x1)


def _moved(onto: np.ndarray, window: Window) -> np.ndarray:
    """A map to the picture as one to a window of it."""
    return onto - [[0.0, 0.0, window[1].start], [0.0, 0.0, window[0].start]]


def _along(picture: np.ndarray, onto: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture sampled along the line: (h, w, ...) float32."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    window = _around([onto], size, picture.shape)
    wide, onto = picture[window].astype(np.float32), _moved(onto, window)
    return cv2.warpAffine(wide, onto, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _drawn(
    seen: np.ndarray, behind: np.ndarray, open_: np.ndarray, noise: float
) -> tuple[np.ndarray, float, bool, bool] | None:
    """(strip, what it leaves, whether it is traced, and whole) of the link that frames (n, h, w,
    3), sampled along the line, show over their plates."""
    level, away = threshold(noise), seen - behind
    far = _largest(away)
    odd = (far > level) & open_
    if odd.sum() < _SHOWS * len(seen):
        return None
    before = float((_total(away**2) * odd).sum())
    strong = odd & (far >= np.quantile(far[odd], 0.8))  # soft edges are mixtures
    colour = densest_colour(seen[strong])
    share, told = _covered(seen, behind, open_, colour, level)
    known = told.sum(0)
    alpha = np.where(known > 0, (share * told).sum(0) / np.maximum(known, 1), np.nan)
    if np.isnan(alpha).all(1).any() or (known > 0).all(0).mean() < _TOLD:
        return None
    alpha = np.where(known > 0, alpha, np.nanmean(alpha, axis=1, keepdims=True))
    alpha[alpha < 0.05] = 0.0
    rest = seen - (behind + alpha[..., None] * (colour - behind))
    wrong = odd | ((_largest(rest) > level) & open_)  # also what is drawn and is not there
    after = float((_total(rest**2) * wrong).sum())
    traced, whole = ((alpha.max(0) > least).mean() > _ALONG for least in (0.0, _THERE))
    strip = np.empty((*alpha.shape, 4), np.float32)
    strip[..., :3], strip[..., 3] = colour / 255.0, alpha
    return strip, after / max(before, 1.0), bool(traced), bool(whole)


def _largest(away: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): the channels' largest distance."""
    size = np.abs(away)
    return np.maximum(np.maximum(size[..., 0], size[..., 1]), size[..., 2])


def _total(values: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): the channels' sum."""
    return values[..., 0] + values[..., 1] + values[..., 2]


Ends = tuple[float, float, float] | tuple[str, float, float]
"""Where a link begins and ends: (x, y) of a point, or another body and px from its centre; and px
from the centre of its own body."""


def linked(
    frames: np.ndarray,
    tracks: Tracks,
    scene: Scene,
    links: Mapping[str, Ends | Sequence[Ends]],
) -> Scene:
    """The scene with what joins bodies to points of the picture, or to other bodies. links: body ->
    (x, y) of the point and px from the body's centre at which the link ends, or (name of the other
    body, px from its centre, px from the body's own); several of a body as a tuple. Adds the sprite
    "NAME_link" and the constant "link" of the body ("NAME_link_2" and "link_2" for its second);
    nothing for what is not found."""
    sprites, constants, plate = dict(scene.sprites), dict(scene.constants), scene.background
    known = {track.name for track in tracks.tracks}
    for name, given in links.items():
        for number, ends in enumerate(_listed(given), 1):
            if not {name, *(one for one in ends if isinstance(one, str))} <= known:
                continue
            (first, second, offset), key = ends, link_key(number)
            found = link_of(frames, replace(tracks, plate=plate), name, (first, second), offset)
            if found is not None and found.certain:
                plate = found.plate
                sprites[f"{name}_{key}"] = found.strip
                told = {key: [one for one in ends if not isinstance(one, str)]}
                if (wire := found.bent()) is not None:
                    told[wire_key(number)] = wire.numbers(len(found.strip))
                constants[name] = {**constants.get(name, {}), **told}
    return replace(scene, background=plate, sprites=sprites, constants=constants)


def _listed(given: Ends | Sequence[Ends]) -> Sequence[Ends]:
    single = not isinstance(given[0], (tuple, list))
    return (given,) if single else given  # type: ignore[return-value]
