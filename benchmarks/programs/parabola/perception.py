"""Fits a soft-edged circle to each ball: red moves right, blue (when there is one) left and in
front.

Edges are read from luma: compressed videos store colour at half resolution."""

import numpy as np

from tools.types import Scene, States

LUMA = np.array([0.299, 0.587, 0.114])
WHITE, RED, BLUE = np.array([[255.0, 255.0, 255.0], [255.0, 0.0, 0.0], [0.0, 0.0, 255.0]]) @ LUMA
WIDE = 2.0  # pixels over which the model of an edge fades while it is looked for
SHARP, SHARPEST = (
    0.015,
    0.25,
)  # then as it was drawn: this share of the radius, and no less than this many pixels
HALF = 0.9925  # the drawing fades inwards: half coverage lies at this share of the radius
# grey level below which a pixel belongs to the other ball: red has no blue in it, blue no red,
# white both
OTHER = 200
SMALLEST = 40  # pixels below which a ball is not measured


def perceive(frames, tools):
    dark = WHITE - frames @ LUMA
    not_red, not_blue = frames[..., 2] > OTHER, frames[..., 0] > OTHER
    covers = {"ball_1": (np.where(not_blue, dark / (WHITE - RED), 0.0), not_blue)}
    if (frames[..., 0] < 80).any():
        covers["ball_2"] = (np.where(not_red, dark / (WHITE - BLUE), 0.0), not_red)
    columns, values = [], []
    for name, (cover, known) in covers.items():
        fits = np.array([fit(c, k) for c, k in zip(cover, known, strict=True)])
        columns += [f"{name}.x", f"{name}.y", f"{name}.radius"]
        values += [fits[:, 0], fits[:, 1], np.full(len(fits), np.nanmedian(fits[:, 2]) / HALF)]
    noise = np.array([0.015, 0.015, 0.015] * len(covers))
    return States(tuple(columns), np.stack(values, axis=1), noise), Scene(
        np.full(frames.shape[1:], 255, np.uint8), order=tuple(covers)
    )


def fit(cover, known):
    """(x, y, radius at half coverage) in pixels by Gauss-Newton; NaN for a ball that is not wholly
    in the picture."""
    rows, columns = np.nonzero(cover > 0.5)
    outside = len(rows) < SMALLEST or rows.min() == 0 or columns.min() == 0
    if outside or rows.max() == cover.shape[0] - 1 or columns.max() == cover.shape[1] - 1:
        return np.full(3, np.nan)
    window = (
        slice(max(rows.min() - 3, 0), rows.max() + 4),
        slice(max(columns.min() - 3, 0), columns.max() + 4),
    )
    seen, use = cover[window], known[window]
    y, x = np.mgrid[
        window[0].start : window[0].start + seen.shape[0],
        window[1].start : window[1].start + seen.shape[1],
    ]
    place = np.array([columns.mean(), rows.mean(), np.sqrt(len(rows) / np.pi)])
    for sharpest in (WIDE, SHARPEST):
        for _ in range(12):
            soft = max(SHARP * place[2], sharpest)
            dx, dy = x - place[0], y - place[1]
            distance = np.hypot(dx, dy)
            edge = use & (np.abs(distance - place[2]) < soft / 2)
            away = np.maximum(distance[edge], 1e-9)
            jacobian = (
                np.stack([dx[edge] / away, dy[edge] / away, np.ones(edge.sum())], axis=1) / soft
            )
            error = seen[edge] - 0.5 - (place[2] - distance[edge]) / soft
            move = np.clip(np.linalg.lstsq(jacobian, error, rcond=None)[0], -1.0, 1.0)
            place = place + move
            if np.abs(move).max() < 1e-4:
                break
    return place
