"""Springs, ropes and threads: what is drawn between a body and a point of the picture, or another
body, and is stretched along the line from one to the other as they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from tools.perception.background import bared, densest_colour, differs, fill, threshold
from tools.perception.parts import Track
from tools.perception.tracking import Tracks
from tools.rendering.links import across_line, begun, link_key
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
"""Share of what is seen along the line that a link may leave unexplained."""


@dataclass(frozen=True)
class Link:
    """strip: (h, w, 4) float32 straight RGBA in [0, 1], from the point (left) to the body. left:
    share of the squared difference from the plate that it leaves. whole: it is seen all along the
    line. behind: (H, W, 3) uint8, the plate where frames show it free. maps: (2, 3) each, from the
    strip to some frames. noise: of pixels, grey levels."""

    strip: np.ndarray
    left: float
    whole: bool
    behind: np.ndarray
    maps: Sequence[np.ndarray]
    noise: float

    @property
    def certain(self) -> bool:
        """Whether it is drawn as a spring, a rope or a thread would be."""
        return self.whole and self.left < LEFT

    @cached_property
    def plate(self) -> np.ndarray:
        """(H, W, 3) uint8: what lies behind, also where the link was in view all the time."""
        plate, alpha = self.behind, self.strip[..., 3].copy()
        alpha[:, :1] = 0.0  # half a pixel at the point is not the link's to draw
        drawn = np.max([cv2.warpAffine(alpha, onto, plate.shape[1::-1]) for onto in self.maps], 0)
        colour = 255.0 * self.strip[0, 0, :3]
        shows = (drawn > 0.05) & ~differs(plate, colour, 3.0 * threshold(self.noise))
        return fill(plate, drawn > 0.02) if shows.any() else plate


def link_of(
    frames: np.ndarray,
    tracks: Tracks,
    name: str,
    anchor: Sequence[float | str],
    offset: float,
) -> Link | None:
    """What best joins the body ``name`` and a point (x, y), or another body (its name, and px from
    its centre at which the link begins); None where nothing is drawn there.

    frames: (T, H, W, 3) uint8. Along the line everything is stretched, across it keeps its width;
    pixels that a body covers tell nothing."""
    track = tracks[name]
    ends = track.poses[:, :2]
    anchors = _anchors(tracks, ends, anchor)
    away = np.hypot(*(ends - anchors).T) - offset
    times = np.flatnonzero(np.isfinite(away) & (away > 8.0))
    if len(times) < _FEWEST:
        return None
    times = times[np.unique(np.linspace(0, len(times) - 1, _LOOKED).astype(int))]
    looked = [frames[t] for t in times]
    length = round(float(np.median(away[times])))
    wide = int(min(_ACROSS, max(_NARROW, track.appearance.radius + 6.0)))
    covered = [_covered(tracks, int(t)) for t in times]
    found: list[Link] = []
    for half in dict.fromkeys((wide, _NARROW)):
        link = _within(
            half, length, looked, tracks, track, ends[times], anchors[times], offset, covered
        )
        found += [link] if link is not None else []
        if link is not None and link.certain:
            break
    return min(found, key=lambda link: link.left, default=None)


def _anchors(tracks: Tracks, ends: np.ndarray, anchor: Sequence[float | str]) -> np.ndarray:
    """(T, 2): where a link begins in each frame."""
    if not isinstance(anchor[0], str):
        return np.broadcast_to(np.asarray(anchor, float), ends.shape)
    return begun(tracks[anchor[0]].poses[:, :2], ends, float(anchor[1]))


def _within(
    half: int,
    length: int,
    frames: Sequence[np.ndarray],
    tracks: Tracks,
    track: Track,
    ends: np.ndarray,
    anchors: np.ndarray,
    offset: float,
    covered: Sequence[np.ndarray],
) -> Link | None:
    """The link within so many pixels to either side of the line: something else may lie along
    it."""
    size = (2 * half + 1, length)
    maps = [
        across_line(anchor, end, offset, length, size[0])
        for anchor, end in zip(anchors, ends, strict=True)
    ]
    plate = _without(frames, tracks, maps, size, covered)
    seen, behind, hidden = (
        np.stack([_along(picture, onto, size) for onto, picture in zip(maps, kind, strict=True)])
        for kind in (frames, [plate] * len(frames), covered)
    )
    open_ = hidden < 0.02
    found = _drawn(seen, _beside(seen, behind, open_, tracks.noise), open_, tracks.noise)
    if found is None or _goes_on(frames, tracks, track, ends, anchors, found[0]):
        return None
    return Link(*found, plate, maps, tracks.noise)


def _goes_on(
    frames: Sequence[np.ndarray],
    tracks: Tracks,
    track: Track,
    ends: np.ndarray,
    anchors: np.ndarray,
    strip: np.ndarray,
) -> bool:
    """Whether the same is drawn beyond the body as well, and does not move: a rail, not what holds
    it, as another spring on the other side may."""
    reach, height = track.appearance.bounding_radius + 2.0, len(strip)
    colour, rows = 255.0 * strip[0, 0, :3], strip[::-1, :, 3].max(1) > _THERE
    shown = []
    level = threshold(tracks.noise)
    for frame, anchor, end in zip(frames, anchors, ends, strict=True):
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


def _beside(seen: np.ndarray, behind: np.ndarray, open_: np.ndarray, noise: float) -> np.ndarray:
    """What lies behind the line (n, h, w, 3): as to both sides of it if these are alike where no
    body is, since a rope may be in the plate; else the plate."""
    sides = np.stack([seen[:, :2].mean(1), seen[:, -2:].mean(1)])
    alike = np.abs(sides[0] - sides[1]).max(-1) < threshold(noise)
    free = open_.all(1)
    if not free.any() or alike[free].mean() < _ALONG:
        return behind
    return np.broadcast_to(sides.mean(0)[:, None], seen.shape)


def _covered(tracks: Tracks, t: int) -> np.ndarray:
    """(H, W) float32: how far each pixel is covered by a body."""
    height, width = tracks.plate.shape[:2]
    covered = np.zeros((height, width), np.float32)
    for track in tracks.tracks:
        if np.isfinite(track.poses[t, 0]):
            layer = track.appearance.cover((height, width), track.poses[t])
            if layer is not None:
                x0, y0, alpha = layer[:3]
                window = covered[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]]
                np.maximum(window, alpha, out=window)
    return covered


def _without(
    frames: Sequence[np.ndarray], tracks: Tracks, maps: Sequence[np.ndarray], size: tuple[int, int],
    covered: Sequence[np.ndarray],
) -> np.ndarray:  # fmt: skip
    """The plate without what is drawn along the line, where some frame shows it free of that."""
    shape, whole = tracks.plate.shape[1::-1], np.ones(size, np.float32)
    hidden = [
        (cv2.warpAffine(whole, onto, shape) > 0) | (cv2.dilate(over, np.ones((5, 5))) > 0.02)
        for onto, over in zip(maps, covered, strict=True)
    ]
    return bared(frames, tracks.plate, np.stack(hidden), tracks.noise)


def _along(picture: np.ndarray, onto: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture sampled along the line: (h, w, ...) float32."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    wide = picture.astype(np.float32)
    return cv2.warpAffine(wide, onto, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _drawn(
    seen: np.ndarray, behind: np.ndarray, open_: np.ndarray, noise: float
) -> tuple[np.ndarray, float, bool] | None:
    """(strip, what it leaves, whether it is whole) of the link that frames (n, h, w, 3), sampled
    along the line, show over their plates."""
    level = threshold(noise)
    odd = differs(seen, behind, level) & open_
    before = float((((seen - behind) ** 2).sum(-1) * odd).sum())
    if odd.sum() < _SHOWS * len(seen):
        return None
    far = np.abs(seen - behind).max(-1)
    strong = odd & (far >= np.quantile(far[odd], 0.8))  # soft edges are mixtures
    colour = densest_colour(seen[strong])
    way = colour - behind
    square = np.maximum((way**2).sum(-1), level**2)
    share = np.clip(((seen - behind) * way).sum(-1) / square, 0.0, 1.0)
    told = open_ & (square > (3.0 * level) ** 2)  # elsewhere the plate shows it anyway
    known = told.sum(0)
    alpha = np.where(known > 0, (share * told).sum(0) / np.maximum(known, 1), np.nan)
    if np.isnan(alpha).all(1).any() or (known > 0).all(0).mean() < _TOLD:
        return None
    alpha = np.where(known > 0, alpha, np.nanmean(alpha, axis=1, keepdims=True))
    alpha[alpha < 0.05] = 0.0
    drawn = behind + alpha[..., None] * way
    wrong = odd | (differs(seen, drawn, level) & open_)  # also what is drawn and is not there
    after = float((((seen - drawn) ** 2).sum(-1) * wrong).sum())
    whole = (alpha.max(0) > _THERE).mean() > _ALONG
    strip = np.empty((*alpha.shape, 4), np.float32)
    strip[..., :3], strip[..., 3] = colour / 255.0, alpha
    return strip, after / max(before, 1.0), bool(whole)


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
                told = [one for one in ends if not isinstance(one, str)]
                constants[name] = {**constants.get(name, {}), key: told}
    return replace(scene, background=plate, sprites=sprites, constants=constants)


def _listed(given: Ends | Sequence[Ends]) -> Sequence[Ends]:
    single = not isinstance(given[0], (tuple, list))
    return (given,) if single else given  # type: ignore[return-value]
