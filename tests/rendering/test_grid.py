"""Drawings on the pixel grid, against the drawing library of many small simulators as an
independent oracle."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.environments.cartpole import draw_start, film
from tools import toolbox
from tools.perception.parts import Part
from tools.rendering import box_corners, canvas, draw_grid_box, draw_grid_disk, finish, pose_of
from tools.rendering.grid import (
    grid_disk_coverage,
    grid_polygon_coverage,
    matte_coverage,
    stamp,
    whole,
)
from tools.types import Scene

gfxdraw = pytest.importorskip("pygame.gfxdraw")
pygame = pytest.importorskip("pygame")

SHAPE = (90, 120)
PARTS = (
    Part("cart", "box", (0, 0, 0)),
    Part("pole", "box", (202, 152, 101)),
    Part("axle", "disk", (129, 132, 203)),
)


def theirs(corners: np.ndarray) -> np.ndarray:
    """(H, W) grey levels of a white polygon on black, outline first, as pygame draws it with the y
    axis upwards."""
    surface = pygame.Surface(SHAPE[::-1])
    points = [(int(x), SHAPE[0] - 1 - int(y)) for x, y in corners]
    gfxdraw.aapolygon(surface, points, (255, 255, 255))
    gfxdraw.filled_polygon(surface, points, (255, 255, 255))
    return pygame.surfarray.array3d(surface)[..., 0].T[::-1].astype(int)


def ours(corners: np.ndarray, softness: float = 1.0) -> np.ndarray:
    image = canvas(np.zeros((*SHAPE, 3), np.uint8))
    stamp(image, *grid_polygon_coverage(SHAPE, corners, softness), (255, 255, 255))
    return finish(image)[..., 0].astype(int)


@pytest.mark.parametrize("seed", range(20))
def test_boxes_at_any_angle_are_drawn_to_the_grey_level(seed):
    rng = np.random.default_rng(seed)
    corners = whole(
        box_corners(
            *rng.uniform((45, 35), (75, 55)), rng.uniform(0, 7), *rng.uniform((20, 4), (60, 25))
        )
    )
    assert (ours(corners) == theirs(corners)).all()


def test_hard_drawings_have_no_outline():
    assert set(
        np.unique(ours(np.array([(20, 20), (70, 35), (60, 60), (10, 45)]), softness=0.1))
    ) == {0, 255}


def test_shapes_are_cut_at_the_border_and_absent_beyond_it():
    x0, y0, alpha = grid_polygon_coverage(
        SHAPE, np.array([(-10, -10), (10, -10), (10, 10), (-10, 10)])
    )
    assert (x0, y0) == (0, 0) and alpha[:11, :11].all() and not alpha[11:].any()
    assert (
        grid_polygon_coverage(SHAPE, np.array([(-30, -30), (-20, -30), (-20, -20), (-30, -20)]))
        is None
    )
    assert grid_disk_coverage(SHAPE, -40.0, 5.0, 6.0) is None
    assert matte_coverage(SHAPE, 500.0, 5.0, np.ones((5, 5, 4), np.float32)) is None


def test_a_disk_owns_the_pixels_of_its_radius():
    image = canvas(np.zeros((*SHAPE, 3), np.uint8))
    draw_grid_disk(
        image, {"x": 50.2, "y": 39.8, "radius": 6.0, "softness": 0.1, "colour": (255, 255, 255)}
    )
    rows, columns = np.nonzero(finish(image)[..., 0])
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (44, 56, 34, 46)


def test_every_corner_of_a_clip_is_read_and_drawn_again_exactly():
    clip = film(draw_start(3), 9)
    frames, x, angle = clip.frames[::2], clip.states[::2, 0] * 125 + 300, clip.states[::2, 2]
    tracks = toolbox.track(frames, PARTS, toolbox.background(frames))
    drawn = toolbox.on_grid(frames, tracks, ("cart", "pole"))
    for corners, cart, tilt in zip(drawn.corners["pole"], x, angle, strict=True):
        c, s = np.cos(-tilt), np.sin(-tilt)
        true = {
            (int(np.floor(cart + u * c - v * s)), 399 - int(np.floor(107.5 + u * s + v * c)))
            for u in (-5, 5)
            for v in (-5, 120)
        }
        assert {(int(px), int(py)) for px, py in corners} == true
    table = toolbox.states_of(tracks, {"cart": ("x",), "pole": ("x", "y", "angle")}, drawn.corners)
    assert np.allclose(table.column("cart.corner1_x"), np.floor(x) - 25)
    assert np.allclose(np.diff(table.column("pole.angle")), np.diff(angle), atol=0.01), (
        "the pose follows from the corners"
    )
    scene = toolbox.scene_of(
        tracks, {"cart": ("x",), "pole": ("x", "y", "angle")}, {"axle": "cart"}, drawn.mattes
    )
    for state, frame in zip(table, frames, strict=True):
        image = canvas(scene.background)
        draw_grid_box(image, pose_of("cart", state, scene))
        draw_grid_box(image, pose_of("pole", state, scene))
        draw_grid_disk(image, pose_of("axle", state, scene), scene.sprites["axle"])
        gap = np.abs(finish(image).astype(int) - frame)
        assert gap.max() <= 3 and (gap > 0).sum() < 60, (
            "but for the weights of a few pixels of the disk's rim"
        )


def test_a_part_that_was_never_found_is_not_visible():
    scene = Scene(
        np.zeros((20, 20, 3), np.uint8),
        {},
        {"cart": {"width": 4.0, "height": 2.0, "colour": [0, 0, 0]}},
        ("cart",),
    )
    state = {
        "cart": {"x": 5.0, "y": 5.0},
        "pole": {"x": 5.0, "y": 5.0, "angle": 0.1},
        "ball": {"x": 3.0, "y": 3.0, "radius": 2.0},
    }
    assert [np.isnan(pose_of(name, state, scene)["x"]) for name in ("cart", "pole", "ball")] == [
        False,
        True,
        False,
    ]
