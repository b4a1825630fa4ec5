"""Sub-pixel poses and sizes by analysis by synthesis: draw, compare, correct (Levenberg-Marquardt,
exact derivatives)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tools.perception.appearance import (
    at_pose,
    cover_at,
    cover_at_size,
    covered,
    free_sizes,
    informative_pixels,
    shown_at,
    with_sizes,
)
from tools.perception.parts import Appearance

PIXELS = 1500
"""Pixels used by one fit at most: more hardly sharpen a pose and cost time."""
GOOD = 3.0
"""Mean colour error (grey levels) at which a pose needs no second attempt."""
LUMA = np.sqrt(3.0) * np.array([0.299, 0.587, 0.114])
"""Channel weights of brightness, scaled so that between greys it counts like the distance of
colours."""
DIM = 100.0
"""Contrast in brightness (so scaled) from which edges may be read from it alone."""
SAME = 0.5
"""Pixels within which two fits found the same pose: one fit to the picture leads to it from
both."""
HUBER = 30.0
"""Residuals above this many grey levels count linearly."""
NARROW = 1.5
"""Pixels around a start within which a pose is looked for first."""
FEWEST = 6
"""Pixels that tell a pose, at least."""
MISFIT_PIXELS, CONTRAST_PIXELS = 600, 300
"""Pixels that tell a misfit, and how a part stands out from what lies behind it, at most."""
ITERATIONS, RETRIES = 15, 5
"""Steps of a descent, and attempts at each, at most."""
ARRIVED, LEAST_GAIN = 1e-3, 1e-6
"""Shares of the longest step below which a step has arrived, and of the cost below which a gain is
none."""


@dataclass(frozen=True)
class Fit:
    """x: the parameters found; error: root mean square residual in grey levels; slopes: (N, P)
    derivatives of the residuals by the parameters that were fitted, the first of x or more."""

    x: np.ndarray
    error: float
    slopes: np.ndarray = field(repr=False)

    @cached_property
    def spread(self) -> np.ndarray:
        """Standard deviations of x and what was fitted beside it, inf where the picture says
        nothing; at least the rounding of grey levels."""
        normal = _product(self.slopes, self.slopes)
        scale = np.sqrt(np.maximum(np.diag(normal), 0))
        known = np.flatnonzero(scale > 1e-6)
        spread = np.full(max(len(scale), len(self.x)), np.inf)
        if len(known):
            unit = normal[np.ix_(known, known)] / np.outer(scale[known], scale[known])
            own = np.sqrt(np.maximum(_inverse_diagonal(unit), 0))
            spread[known] = own / scale[known] * max(self.error, 0.3)
        return spread


def _inverse_diagonal(unit: np.ndarray) -> np.ndarray:
    """Diagonal of the pseudo-inverse of a symmetric matrix whose diagonal is 1."""
    if len(unit) == 2 and (left := 1.0 - unit[0, 1] * unit[1, 0]) > 1e-8:
        return np.full(2, 1.0 / left)
    return np.diag(np.linalg.pinv(unit, rcond=1e-9, hermitian=True))


Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""x (P,) -> residual (N,) in grey levels and its derivatives (N, P); N fixed."""


def huber(residual: np.ndarray) -> np.ndarray:
    """Twice the Huber cost of each residual."""
    size = np.abs(residual)
    inner = np.minimum(size, HUBER)
    return inner * (2 * size - inner)


def _cost(residual: np.ndarray) -> float:
    return float(np.add.reduce(huber(residual)))


def gauss_newton(
    model: Model, x: np.ndarray, largest: np.ndarray, iterations: int = ITERATIONS
) -> Fit:
    """Minimise the Huber cost of the residuals by Levenberg-Marquardt.

    largest: (P,) longest step taken at once; a thousandth of it counts as arrived.
    """
    residual, slopes = model(x)
    cost, damping = _cost(residual), 1e-3
    for _ in range(iterations):
        weighted = slopes * np.minimum(1.0, HUBER / np.maximum(np.abs(residual), 1e-9))[:, None]
        normal, gradient = _product(weighted, slopes), _product(weighted, residual[:, None])[:, 0]
        moved = False
        for _ in range(RETRIES):
            move = _solve(normal, gradient, damping)
            move = np.minimum(np.maximum(-move, -largest), largest)
            trial, trial_slopes = model(x + move)
            trial_cost = _cost(trial)
            if trial_cost < cost:
                moved = True
                break
            damping = max(damping * 8, 1e-4)
        if not moved:
            break
        small = np.all(np.abs(move) < ARRIVED * largest)
        arrived = small or cost - trial_cost < LEAST_GAIN * cost
        x, residual, slopes, cost, damping = x + move, trial, trial_slopes, trial_cost, damping / 8
        if arrived:
            break
    error = float(np.sqrt(np.mean(residual**2))) if len(residual) else np.inf
    return Fit(x, error, slopes)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a.T @ b; for few columns without BLAS, whose threads would cost more than they save."""
    return np.einsum("ni,nj->ij", a, b) if a.shape[1] <= 8 else a.T @ b


def _solve(normal: np.ndarray, gradient: np.ndarray, damping: float) -> np.ndarray:
    """Damped normal equations; directions about which nothing is known stay where they are."""
    damped, scale = normal.copy(), normal.diagonal()
    floor = 1e-9 * max(float(scale.max()), 1e-12)
    damped.flat[:: len(scale) + 1] += damping * scale + floor
    return np.linalg.solve(damped, gradient)


def crop(shape: tuple[int, int], x: float, y: float, reach: float) -> tuple[slice, slice] | None:
    """Image window (rows, columns) around a circle, or None outside the image."""
    x0, x1 = max(0, int(x - reach)), min(shape[1], int(x + reach) + 2)
    y0, y1 = max(0, int(y - reach)), min(shape[0], int(y + reach) + 2)
    return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """What a part is compared with. frame: (H, W, 3) picture. ground: what lies behind the part;
    free: where nothing lies in front of it. Both are asked at pixels (px, py) (N,), whole numbers
    as floats: -> (N, 3) grey levels, (N,) bool. luma: whether edges are read from brightness alone
    where there is enough of it, because codecs store colour at half resolution."""

    frame: np.ndarray
    ground: Callable[[np.ndarray, np.ndarray], np.ndarray]
    free: Callable[[np.ndarray, np.ndarray], np.ndarray]
    luma: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return self.frame.shape[:2]

    def pick(
        self, px: np.ndarray, py: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Free pixels among (px, py), with target and ground (N, 3) float64."""
        free = self.free(px, py)
        px, py = px[free], py[free]
        target = self.frame[py.astype(int), px.astype(int)].astype(np.float64)
        return px, py, target, self.ground(px, py)

    def contrasts(
        self, colour, target: np.ndarray, ground: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See :func:`contrasts`; from luma alone where ``luma`` says so and there is enough of
        it."""
        strength, shown = contrasts(colour, target, ground)
        if not self.luma:
            return strength, shown
        bright = (np.asarray(colour, np.float64) - ground) @ LUMA
        told = np.abs(bright) > DIM
        return np.where(told, np.abs(bright), strength), np.where(
            told, (target - ground) @ LUMA * np.sign(bright), shown
        )


def view(frame: np.ndarray, ground: np.ndarray, weight: np.ndarray | None = None) -> View:
    """A view over whole pictures: frame, ground (H, W, 3); weight (H, W) bool, False where
    something hides the part."""

    def behind(px: np.ndarray, py: np.ndarray) -> np.ndarray:
        return ground[py.astype(int), px.astype(int)].astype(np.float64)

    def free(px: np.ndarray, py: np.ndarray) -> np.ndarray:
        return (
            np.ones(len(px), bool) if weight is None else weight[py.astype(int), px.astype(int)] > 0
        )

    return View(frame, behind, free)


# --------------------------------------------------------------------------------------------------


def fit_pose(
    appearance: Appearance,
    pose: np.ndarray,
    frame: np.ndarray,
    ground: np.ndarray,
    weight: np.ndarray | None = None,
    margin: float = 4.0,
    turn: bool = True,
) -> Fit | None:
    """Refine ``pose`` (x, y, angle) of a look in ``frame`` over ``ground`` (both (H, W, 3)).

    weight: bool (H, W), False where something in front hides the part. margin: pixels by which the
    start may be off. turn: False keeps the angle. None when no pixel of the part is visible.
    """
    return locate(
        appearance, np.asarray(pose, np.float64), view(frame, ground, weight), margin, turn
    )


def locate(
    appearance: Appearance, pose: np.ndarray, seen: View, margin: float = 4.0, turn: bool = True
) -> Fit | None:
    """Refine a pose in a view (see ``located``)."""
    found = located(appearance, pose, seen, margin, turn)
    return None if found is None else found[0]


def located(
    appearance: Appearance, pose: np.ndarray, seen: View, margin: float = 4.0, turn: bool = True
) -> tuple[Fit, float] | None:
    """Refine a pose in a view: the fit and its misfit. First from the start itself; only where that
    leaves the picture unexplained, and ``margin`` (pixels) allows for more, again with softened
    edges, which pull from further away, and the better result is kept; soft edges that end where
    the first fit did have nothing to add."""
    found = _settle(appearance, pose, seen, min(margin, NARROW), None, turn)
    if found is None:
        return None
    left = misfit(appearance, found.x, seen)
    if margin <= NARROW or left <= GOOD:
        return found, left
    if appearance.shape == "sprite":
        wide = _settle(appearance, pose, seen, margin, None, turn)
    else:
        wide = _settle(appearance, pose, seen, margin, margin, turn)
        if wide is not None and _apart(appearance, wide.x, found.x) < SAME:
            return found, left
        wide = wide and _settle(appearance, wide.x, seen, NARROW, None, turn)
    better = left if wide is None else misfit(appearance, wide.x, seen)
    return (found, left) if wide is None or better >= left else (wide, better)


def _apart(appearance: Appearance, pose: np.ndarray, other: np.ndarray) -> float:
    """Pixels by which no point of a part lies further away in one pose than in another."""
    away = pose - other
    return math.hypot(*away[:2]) + abs(away[2]) * appearance.bounding_radius


def _settle(
    appearance: Appearance,
    pose: np.ndarray,
    seen: View,
    margin: float,
    width: float | None,
    turn: bool,
) -> Fit | None:
    px, py, target, ground = seen.pick(
        *informative_pixels(appearance, pose, seen.shape, margin + (width or 0.0) / 2, PIXELS)
    )
    if len(px) < FEWEST:
        return None
    free = 3 if turn and appearance.turns else 2
    if appearance.shape == "sprite":
        model = _sprite_model(appearance, pose, free, (px, py), target, ground)
    else:
        model = _flat_model(
            appearance,
            pose,
            free,
            (px, py),
            *seen.contrasts(appearance.colour, target, ground),
            None if width is None else max(width, appearance.width),
        )
    steps = np.array([2.0, 2.0, 2.0 / max(appearance.bounding_radius, 2.0)])[:free]
    fit = gauss_newton(model, np.array(pose[:free], np.float64), steps)
    return replace(fit, x=np.append(fit.x, pose[free:]))


def contrasts(colour, target: np.ndarray, ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How strongly a flat colour stands out at each pixel (N,), in grey levels, and how much of it
    is seen there (N,).

    All that coverage changes lies along the line from ground to colour, so that one number a pixel
    says everything.
    """
    line = np.asarray(colour, np.float64) - ground
    strength = np.sqrt((line * line).sum(1))
    return strength, ((target - ground) * line).sum(1) / np.maximum(strength, 1.0)


def _flat_model(
    appearance: Appearance,
    pose: np.ndarray,
    free: int,
    pixels: tuple[np.ndarray, np.ndarray],
    strength: np.ndarray,
    seen: np.ndarray,
    width: float | None,
) -> Model:
    def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        alpha, slopes = cover_at(
            appearance, np.append(x, pose[2:]) if free == 2 else x, *pixels, width
        )
        return strength * alpha - seen, strength[:, None] * slopes[:, :free]

    return model


def _sprite_model(
    appearance: Appearance,
    pose: np.ndarray,
    free: int,
    pixels: tuple[np.ndarray, np.ndarray],
    target: np.ndarray,
    ground: np.ndarray,
) -> Model:
    def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sample = at_pose(appearance, np.append(x, pose[2:]) if free == 2 else x, *pixels)
        return (sample.over(ground) - target).ravel(), sample.slopes_over(ground)[
            :, :, :free
        ].reshape(-1, free)

    return model


def locate_size(
    appearance: Appearance, pose: np.ndarray, seen: View, margin: float = 3.0, soften: bool = True
) -> tuple[Appearance, Fit]:
    """Fit pose, sizes and edge softness of a flat look together: (look, fit of the pose).

    The fit's error is that of everything; its spread holds x, y, angle, the sizes and the softness.
    """
    px, py, target, ground = seen.pick(
        *informative_pixels(appearance, pose, seen.shape, margin, 3 * PIXELS)
    )
    strength, shown = seen.contrasts(appearance.colour, target, ground)
    sizes = free_sizes(appearance)
    still = np.zeros(4 + len(sizes), bool)
    still[2] = not appearance.turns or appearance.shape == "polygon"
    still[:2] = appearance.shape == "polygon"
    still[-1] = not soften

    def unpack(x: np.ndarray) -> tuple[Appearance, np.ndarray]:
        return with_sizes(
            appearance, x[3:-1], float(np.clip(x[-1], 0.3, 8.0)) if soften else appearance.width
        ), x[:3]

    def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        alpha, slopes = cover_at_size(*unpack(x), px, py)
        slopes[:, still] = 0.0
        return strength * alpha - shown, strength[:, None] * slopes

    start = np.array([*pose, *sizes, appearance.width], np.float64)
    largest = np.array(
        [2.0, 2.0, 2.0 / max(appearance.bounding_radius, 2.0), *np.full(len(sizes), 2.0), 0.5]
    )
    fit = gauss_newton(model, start, largest, iterations=30)
    found, at = unpack(fit.x)
    return found, replace(fit, x=at)


def own_error(
    appearance: Appearance,
    pose: np.ndarray,
    frame: np.ndarray,
    ground: np.ndarray,
    weight: np.ndarray | None = None,
) -> float:
    """Mean absolute colour error (grey levels) over the pixels that the part covers; inf when none
    is visible."""
    return misfit(appearance, pose, view(frame, ground, weight))


def misfit(
    appearance: Appearance, pose: np.ndarray, seen: View, limit: int = MISFIT_PIXELS
) -> float:
    """The same in a view, on at most about ``limit`` pixels."""
    px, py, target, ground = seen.pick(*covered(appearance, pose, seen.shape, limit))
    if not len(px):
        return np.inf
    weight, picture = shown_at(appearance, pose, px, py, ground)
    if (total := weight.sum()) < 2.0:
        return np.inf
    return float((np.abs(picture - target).mean(-1) * weight).sum() / total)
