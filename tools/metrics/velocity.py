"""Velocity errors of PhyWorld: the original evaluation's, from pixels, and the variants that
ProgGen's public code prints.

Positions are in world units (the picture is 10 x 10), frames 0.1 s apart, velocities along x unless
said. NaN means that a clip has no frames to be scored. Cards of all of them:
``tools.metrics.cards``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

WORLD = 10.0
INTERVAL = 0.1
CONDITIONING = 3
"""Frames given to a model; scoring begins with the frame after them."""
JUMP = 0.1
"""Change of a true velocity between frames that marks the collision."""


# -------------------------------------------------------------------------------------------------


def masks(frames: np.ndarray, balls: int) -> np.ndarray:
    """(balls, T, H, W) bool: own channel above 127 and the others below (red for the first ball,
    blue for the second)."""
    high, low = frames > 127, frames < 127
    red = high[..., 0] & low[..., 1] & low[..., 2]
    blue = low[..., 0] & low[..., 1] & high[..., 2]
    return np.stack([red, blue][:balls])


def parsed(frames: np.ndarray, balls: int) -> np.ndarray:
    """(T, balls, 2) positions as the original evaluation parses them: mean index of the mask /
    picture size * 10, y up.

    A ball that is not to be seen is put where the original puts it: one ball at x = 10; of two, the
    first at 0 and the second at 10; y as in the frame before.
    """
    gone = (WORLD,) if balls == 1 else (0.0, WORLD)
    out = np.full((len(frames), balls, 2), np.nan)
    for ball, mask in enumerate(masks(frames, balls)):
        for t, hits in enumerate(mask):
            rows, columns = np.nonzero(hits)
            before = out[t - 1, ball, 1] if t else np.nan
            out[t, ball] = (
                (gone[ball], before) if not len(rows) else _scaled(columns, rows, hits.shape)
            )
    return out


def _scaled(columns: np.ndarray, rows: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float]:
    return float(columns.mean()) / shape[1] * WORLD, WORLD - float(rows.mean()) / shape[1] * WORLD


# --------------------------------------------------------------------------------------------------


def kang(positions: np.ndarray, truth: np.ndarray, init: Sequence[float]) -> dict[str, float]:
    """Velocity errors of one clip as the original evaluation computes them.

    positions: (32, n, 2) predicted, parsed from frames or states; the first 3 are not looked at.
    truth: (32, n, 2). init: (r, v) or (r1, r2, v1, v2). Returns {"error"} for one ball (|mean
    velocity - initial velocity|), {"pre", "post", "error"} for two, where "error" is "post": per
    ball |mean - true mean|, then the mean of the balls.
    """
    balls = truth.shape[1]
    index = in_view(truth, init[:balls])
    if len(index) < 2:
        return (
            {"error": float("nan")}
            if balls == 1
            else dict.fromkeys(("pre", "post", "error"), float("nan"))
        )
    x, true = positions[index, :, 0], truth[index, :, 0]
    velocity, real = np.diff(x, axis=0) / INTERVAL, np.diff(true, axis=0) / INTERVAL
    if balls == 1:
        return {"error": abs(float(velocity.mean()) - init[1])}
    hit = impact(real)
    pre, post = _gap(velocity[:hit], real[:hit]), _gap(velocity[hit + 1 :], real[hit + 1 :])
    return {"pre": pre, "post": post, "error": post}


def in_view(truth: np.ndarray, radii: Sequence[float]) -> np.ndarray:
    """Scored frames: from the fourth to the last but one, where the true ball is wholly in the
    picture (one ball: all four sides; two: only the first one's left and the second one's right
    edge)."""
    low, high = (
        truth[:, :, :] - np.asarray(radii)[:, None],
        truth[:, :, :] + np.asarray(radii)[:, None],
    )
    if truth.shape[1] == 1:
        inside = (low >= 0).all(axis=(1, 2)) & (high <= WORLD).all(axis=(1, 2))
    else:
        inside = (low[:, 0, 0] >= 0) & (high[:, 1, 0] <= WORLD)
    times = np.arange(len(truth))
    return times[inside & (times >= CONDITIONING) & (times < len(truth) - 1)]


def impact(velocity: np.ndarray) -> int:
    """Interval of the collision in (T, 2) true velocities: the first where either changes by more
    than 0.1, else the last."""
    changes = np.abs(np.diff(velocity, axis=0)).max(axis=1) > JUMP
    return int(np.argmax(changes)) + 1 if changes.any() else len(velocity) - 1


def _gap(velocity: np.ndarray, real: np.ndarray) -> float:
    return (
        float(np.abs(velocity.mean(axis=0) - real.mean(axis=0)).mean())
        if len(velocity)
        else float("nan")
    )


# --------------------------------------------------------------------------------------------------


def proggen(positions: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The velocity figures of ProgGen's public code for one clip, cut beforehand at :func:`border`.

    positions, truth: (T, n, 2). "vel_err_avg" is over both axes; the others along x: "vel_error"
    (one ball, intervals from 4 -> 5 on) or "pre_vel_error", "post_vel_error" (two balls);
    "..._err_avg" averages absolute differences of intervals instead of comparing means. The code
    prints them with the prefix "pred_" (states) and "percepted_" (parsed).
    """
    velocity, real = np.diff(positions, axis=0) / INTERVAL, np.diff(truth, axis=0) / INTERVAL
    figures = {"vel_err_avg": _mean(np.abs(velocity - real))}
    vx, rx = velocity[..., 0], real[..., 0]
    if truth.shape[1] == 1:
        return figures | {"vel_error": _gap(vx[4:], rx[4:])}
    hit = impact(rx)
    for name, part in (("pre", slice(None, hit)), ("post", slice(hit + 1, None))):
        figures |= {
            f"{name}_vel_error": _gap(vx[part], rx[part]),
            f"{name}_vel_err_avg": _mean(np.abs(vx[part] - rx[part])),
        }
    return figures


def border(frames: np.ndarray, balls: int) -> int:
    """Frames before the first one where a ball touches the picture's edge or covers at most a
    thousandth of it."""
    found = masks(frames, balls)
    edge = (
        found[:, :, 0].any(axis=2)
        | found[:, :, -1].any(axis=2)
        | found[..., 0].any(axis=2)
        | found[..., -1].any(axis=2)
    )
    small = found.sum(axis=(2, 3)) <= 0.001 * frames.shape[1] * frames.shape[2]
    bad = (edge | small).any(axis=0)
    return int(np.argmax(bad)) if bad.any() else len(frames)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


# --------------------------------------------------------------------------------------------------

KANG_OUT = ("zero", "r_out", "v_out", "rv_out")
PROGGEN_OUT = ("r_out", "v_out", "rv_out")


def by_split(
    values: Sequence[float], splits: Sequence[str], out: Sequence[str] = KANG_OUT
) -> Mapping[str, float]:
    """Mean over videos (NaN left out) of each split, and of "out": the splits in ``out``
    together."""
    table = {
        split: [v for v, s in zip(values, splits, strict=True) if s == split and np.isfinite(v)]
        for split in dict.fromkeys(splits)
    }
    table["out"] = [v for split in out for v in table.get(split, [])]
    return {split: float(np.mean(numbers)) for split, numbers in table.items() if numbers}
