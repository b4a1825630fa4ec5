"""What a body meets: directions to whatever is near its outline in a frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tools.judge.eyes import Body, Sight

SEAM = 4.0
"""Pixels between the insides of two patches that touch: each loses its soft edge."""


def directions(
    sight: Sight, body: Body, t: int, reach: float, without: frozenset[int] = frozenset()
) -> np.ndarray:
    """(N, 2) unit vectors from the outline of ``body`` in frame ``t`` to what lies within ``reach``
    pixels and its soft edge of it: other patches but those ``without``, other ground, the border of
    the picture."""
    if sight.labels is None or not body.labels[t]:
        return np.zeros((0, 2))
    window, own, other = _around(sight, body, t, reach + SEAM)
    if without:
        other &= ~np.isin(sight.labels[t][window], list(without))
    outline = own & ~cv2.erode(own.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    rows, columns = np.nonzero(outline)
    found = _borders(sight.shape, rows + window[0].start, columns + window[1].start, reach)
    if other.any():
        distance, nearest = cv2.distanceTransformWithLabels(
            (~other).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        where = np.zeros((int(nearest.max()) + 1, 2))
        where[nearest[other]] = np.argwhere(other)
        close = distance[rows, columns] <= reach + SEAM
        rows, columns = rows[close], columns[close]
        towards = (where[nearest[rows, columns]] - np.stack([rows, columns], axis=1))[:, ::-1]
        lengths = np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-9)
        ways = towards / lengths
        ahead = np.rint(np.stack([rows, columns], axis=1) + _OUT * ways[:, ::-1]).astype(int)
        inward = own[tuple(np.clip(ahead, 0, np.array(own.shape) - 1).T)]
        found = np.concatenate([found, ways[~inward]])
    return found


_OUT = 2.0  # pixels from an outline at which it shows whether a way leads out of the body


def explains(
    sight: Sight,
    body: Body,
    frames: range,
    change: np.ndarray,
    reach: float,
    besides: dict[int, frozenset[int]] | None = None,
) -> bool:
    """Whether a change of velocity within ``frames`` may come from what the body met: something
    lies where a push in that direction can come from. besides: frame -> labels that give none."""
    size = float(np.linalg.norm(change))
    if sight.labels is None or size == 0:
        return True
    for k in frames:
        met = directions(sight, body, k, reach, (besides or {}).get(k, frozenset()))
        if len(met) and float((-met @ change).max()) > _PUSH * size:
            return True
    return False


def companions(sight: Sight, body: Body, t: int, reach: float) -> frozenset[int]:
    """Labels in frame ``t`` of patches that have been within ``reach`` pixels of the body for some
    frames and moved along with it: its other half, the rod that it hangs on."""
    now, moved = _touching(sight, body, t, reach), set[int]()
    for k in (t - 2, t - _EARLIER, t - _LONG):
        if k < 0 or not body.seen[k]:
            break
        then = _touching(sight, body, k, reach + SEAM).values()
        same = {label: [o for o in then if one.like(o)] for label, one in now.items()}
        now = {label: one for label, one in now.items() if same[label] or k == t - _LONG}
        moved |= {label for label, one in now.items() if any(map(one.away, same[label]))}
    return frozenset(moved & set(now)) if t >= _EARLIER and body.seen[t - _EARLIER] else frozenset()


@dataclass(frozen=True)
class _Beside:
    """A patch beside a body. area: pixels. middle: (2,) row and column. thin: a line, which breaks
    into pieces as it turns."""

    area: float
    middle: np.ndarray
    thin: bool

    def like(self, other: _Beside) -> bool:
        """Whether it may be the same thing in another frame, or a piece of it."""
        return abs(self.area / other.area - 1) < _LIKE or (self.thin and other.thin)

    def away(self, other: _Beside) -> bool:
        """Whether it has moved from there."""
        return float(np.hypot(*(self.middle - other.middle))) > _ALONG


_LIKE, _ALONG = 0.5, 1.0  # difference of areas, and pixels that it moved, of a companion
_THIN = 2.0  # pixels from its middle to its edge


def _touching(sight: Sight, body: Body, t: int, reach: float) -> dict[int, _Beside]:
    """Label -> patch, of those within reach of the body in frame ``t``."""
    if sight.labels is None or not body.labels[t]:
        return {}
    window, own, other = _around(sight, body, t, reach + SEAM)
    near = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5) <= reach + SEAM
    found = {}
    for label in set(sight.labels[t][window][other & near].tolist()):
        mask = (sight.labels[t] == label).astype(np.uint8)
        places = np.argwhere(mask)
        deep = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3).max()
        found[label] = _Beside(float(len(places)), places.mean(axis=0), float(deep) < _THIN)
    return found


def partners(sight: Sight, body: Body, t: int, reach: float) -> frozenset[str]:
    """Names of the bodies within reach of the body in frame ``t`` or the one before."""
    names = set[str]()
    for k in (t - 1, t):
        if sight.labels is None or k < 0 or not body.labels[k]:
            continue
        window, own, other = _around(sight, body, k, reach + SEAM)
        near = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5) <= reach + SEAM
        labels = set(sight.labels[k][window][other & near].tolist())
        names |= {one.name for one in sight.bodies if one is not body and one.labels[k] in labels}
    return frozenset(names)


def givers(sight: Sight, body: Body, t: int, change: np.ndarray, reach: float) -> set[int]:
    """Labels in frame ``t`` of the patches that lie where a push in that direction can come
    from."""
    if sight.labels is None or not body.labels[t]:
        return set()
    window, own, other = _around(sight, body, t, reach + SEAM)
    rows, columns = np.nonzero(own)
    middle = np.array([rows.mean(), columns.mean()])
    near = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5) <= reach + SEAM
    ways = (np.argwhere(other & near) - middle)[:, ::-1]
    lengths = np.maximum(np.linalg.norm(ways, axis=1), 1e-9)
    pushing = -(ways @ change) > _PUSH * lengths * float(np.linalg.norm(change))
    return set(sight.labels[t][window][other & near][pushing].tolist())


def struck(sight: Sight, body: Body, t: int, change: np.ndarray, reach: float) -> bool:
    """The same of something that it had not touched some frames before: what rests on the body all
    the time stops or turns nothing."""
    before = max(t - _EARLIER, 0)
    besides = (
        {k: companions(sight, body, k, reach) for k in (t - 1, t)}
        if sight.labels is not None
        else {}
    )
    if not explains(sight, body, range(t - 1, t + 1), change, reach, besides):
        return False
    return sight.labels is None or not explains(sight, body, range(before, before + 1), change, 1.0)


_EARLIER = 4  # frames before a blow in which there was no contact yet
_LONG = 8  # frames in which what moves along is seen to move, also where a swing turns
_PUSH = 0.55
"""Least cosine between a push and the way out of what gives it: friction bends it."""


def at_border(sight: Sight, body: Body, t: int) -> bool:
    """Whether the body reaches the border of the picture in frame ``t``."""
    rows, columns = np.nonzero(sight.labels[t] == body.labels[t])  # type: ignore[index]
    return bool(len(_borders(sight.shape, rows, columns, 0.0)))


def beside(sight: Sight, body: Body, t: int, reach: float = 2.0) -> bool:
    """Whether anything else, or the border, is next to the body in frame ``t``."""
    return bool(len(directions(sight, body, t, reach)))


def doubled(sight: Sight, body: Body, t: int) -> bool:
    """Whether another body that looks the same was next to it in frame ``t`` or the one before: the
    two make one patch then, and which is which cannot be told."""
    for other in sight.bodies:
        if not alike(body, other):
            continue
        gaps = np.linalg.norm((body.places - other.places)[max(t - 2, 0) : t + 1], axis=1)
        nearing = max(0.0, float(np.nan_to_num(gaps[0] - gaps[1]))) if t > 1 else 0.0
        near = float(np.nanmin(gaps[-2:], initial=np.inf)) - _HASTE * nearing
        if near < _reaches(sight, body, t) + _reaches(sight, other, t) + 2 * SEAM:
            return True
    return False


def alike(body: Body, other: Body) -> bool:
    """Whether two bodies look the same."""
    if other is body or other.radius > _SAME * body.radius or body.radius > _SAME * other.radius:
        return False
    return toned(body, other)


def toned(body: Body, other: Body) -> bool:
    """Whether two bodies have the same colour."""
    tones = [np.nanmedian(one.colours, axis=0) for one in (body, other)]
    return float(np.abs(tones[0] - tones[1]).max()) <= _TONE


def equal(body: Body, other: Body) -> bool:
    """Whether they are also of one size: one is not several of the other."""
    small, large = sorted(float(np.nanmedian(one.areas)) for one in (body, other))
    return large < _EQUAL * small and alike(body, other)


def returns(sight: Sight, body: Body, t: int) -> bool:
    """Whether the body, or what has its colour and is then first seen, is seen from frame ``t``
    on."""
    tone = np.nanmedian(body.colours, axis=0)
    return bool(body.seen[t:].any()) or any(
        other.seen[t:].any()
        and not other.seen[:t].any()
        and float(np.abs(np.nanmedian(other.colours, axis=0) - tone).max()) <= _TONE
        for other in sight.bodies
    )


def _reaches(sight: Sight, body: Body, t: int) -> float:
    """Pixels from its middle to its farthest side, in frame ``t`` or the one before."""
    far = body.radius
    for k in (t - 1, t):
        if sight.labels is not None and k >= 0 and body.labels[k]:
            box = cv2.boundingRect((sight.labels[k] == body.labels[k]).view(np.uint8))
            far = max(far, max(box[2:]) / 2)
    return far


def kin(sight: Sight, body: Body, t: int) -> bool:
    """Whether something of its colour is next to the body in frame ``t``: it may be a piece of
    that."""
    if sight.labels is None or not body.labels[t]:
        return False
    window, own, other = _around(sight, body, t, 2 * SEAM)
    near = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5) <= 2 * SEAM
    labels = set(sight.labels[t][window][other & near].tolist())
    return any(
        one.labels[t] in labels and float(np.abs(one.colours[t] - body.colours[t]).max()) < _TONE
        for one in sight.bodies
        if one is not body
    )


_HASTE = 2.0  # steps like the last one by which two bodies may come nearer until the next frame
_EQUAL = 1.5  # ratio of areas up to which two bodies may be of one size
_SAME, _TONE = 2.5, 20.0  # ratio of radii, and grey levels, up to which two bodies look the same


def bared(sight: Sight, body: Body, t: int, then: int, way: np.ndarray) -> bool:
    """Whether nothing hides ``body`` where it would be in frame ``then``, ``way`` (2,) pixels from
    where it is in frame ``t``, and it is not there: the ground is seen, or what it lay before."""
    shown, ground = _shown(sight, body, t, then, way)
    if not ground or not len(shown):
        return False
    clear = np.isin(shown, [ground, *_uncovered(sight, body, shown, t, then)])
    inside = shown != 0
    if clear.mean() > _BARE:
        return True
    return bool(2 * inside.sum() > len(shown) and clear[inside].mean() > _BARE)


def _uncovered(sight: Sight, body: Body, shown: np.ndarray, t: int, then: int) -> list[int]:
    """Labels in frame ``then`` of what shows where the body would be and is larger than in frame
    ``t``, by what shows there."""
    return [
        int(other.labels[then])
        for other in (*sight.bodies, *sight.lines)
        if other is not body
        and (part := int((shown == other.labels[then]).sum())) > 0
        and other.labels[then] > 0
        and other.areas[then] - other.areas[t] > part / 2
    ]


def bare(sight: Sight, body: Body, t: int, then: int, way: np.ndarray) -> float:
    """Share of the pixels where the body would be at which frame ``then`` shows the ground that is
    around the body in frame ``t``."""
    shown, ground = _shown(sight, body, t, then, way)
    return float((shown == ground).mean()) if ground and len(shown) else 0.0


def covered(sight: Sight, body: Body, t: int, then: int, way: np.ndarray) -> float:
    """Share of them at which frame ``then`` shows something else."""
    shown, ground = _shown(sight, body, t, then, way)
    other = (shown != 0) & (shown != ground) & (shown != body.labels[then])
    return float(other.mean()) if len(shown) else 0.0


def _shown(sight: Sight, body: Body, t: int, then: int, way: np.ndarray) -> tuple[np.ndarray, int]:
    """(N,) labels in frame ``then`` where the body would be, -1 out of the picture, and that of the
    ground around it; 0 where no ground is seen."""
    assert sight.labels is not None, "bodies of drawings only"
    window, own, _ = _around(sight, body, t, SEAM)
    ring = cv2.dilate(own.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~own
    around = sight.labels[t][window][ring]
    ground = np.bincount(around[around > 0], minlength=1).argmax()
    later = sight.labels[then][window][ring & (sight.labels[t][window] == ground)]
    rows, columns = np.nonzero(own)
    rows = rows + window[0].start + round(float(way[1]))
    columns = columns + window[1].start + round(float(way[0]))
    height, width = sight.shape
    inside = (rows >= 0) & (columns >= 0) & (rows < height) & (columns < width)
    shown = np.full(len(rows), -1)
    shown[inside] = sight.labels[then][rows[inside], columns[inside]]
    return shown, int(np.bincount(later, minlength=1).argmax()) if ground and len(later) else 0


_BARE = 0.8
"""Share of a body's place at which the ground is seen that tells that nothing is there."""


def _around(
    sight: Sight, body: Body, t: int, reach: float
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """A window around the body, its own pixels there, and those of what it may meet: everything but
    the ground that surrounds it."""
    labels = sight.labels[t]  # type: ignore[index]
    x, y, width, height = cv2.boundingRect((labels == body.labels[t]).view(np.uint8))
    pad = int(np.ceil(reach)) + 2
    window = (
        slice(max(y - pad, 0), y + height + pad),
        slice(max(x - pad, 0), x + width + pad),
    )
    part = labels[window]
    own = part == body.labels[t]
    grounds = np.array(sorted(sight.grounds[t]), int)
    wide = cv2.dilate(own.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~own
    under = part[wide & np.isin(part, grounds)]
    if not len(under):
        under = part[wide & (part > 0)]
    ground = int(np.bincount(under).argmax()) if len(under) else 0
    return window, own, (part > 0) & ~own & (part != ground)


def _borders(
    shape: tuple[int, int], rows: np.ndarray, columns: np.ndarray, reach: float
) -> np.ndarray:
    """Outward directions of the borders within reach of an outline."""
    height, width = shape
    gaps = (columns.min(), width - 1 - columns.max(), rows.min(), height - 1 - rows.max())
    ways = ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
    return np.array([w for gap, w in zip(gaps, ways, strict=True) if gap <= reach + 2]).reshape(
        -1, 2
    )
