"""Coverage against brute-force point sampling, derivatives against differences."""

import math

import numpy as np
import pytest

from tools.rendering import box_corners, coverage, disk_coverage, polygon_coverage

SHAPES = {
    "convex": [(10.2, 5.1), (30.7, 9.3), (25.1, 28.9), (8.3, 20.2)],
    "notched": [(10.2, 5.1), (30.7, 9.3), (18.0, 14.0), (25.1, 28.9), (8.3, 20.2)],
    "thinner than a pixel": [(5.0, 20.0), (35.0, 21.0), (35.0, 21.6), (5.0, 20.6)],
}
GRID = np.mgrid[:40, :40].astype(float)
PY, PX = GRID[0].ravel(), GRID[1].ravel()


def sampled(inside, width, steps=30):
    """Share of a pixel's box that is inside, by point samples."""
    offsets = ((np.arange(steps) + 0.5) / steps - 0.5) * width
    return sum(inside(PX + a, PY + b) for a in offsets for b in offsets) / steps**2


def odd(points):
    def inside(u, v):
        hit = np.zeros(u.shape, bool)
        for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, 0), strict=True):
            if ay != by:
                hit ^= ((ay > v) != (by > v)) & (u < ax + (v - ay) * (bx - ax) / (by - ay))
        return hit

    return inside


@pytest.mark.parametrize("width", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("name", SHAPES)
def test_polygon_coverage_is_the_share_of_the_box(name, width):
    points = np.array(SHAPES[name])
    share, _ = coverage.polygon(PX, PY, points, width)
    assert np.abs(share - sampled(odd(points), width)).max() < 0.006


def test_orientation_does_not_matter():
    points = np.array(SHAPES["notched"])
    assert np.allclose(
        coverage.polygon(PX, PY, points, 1.0)[0], coverage.polygon(PX, PY, points[::-1], 1.0)[0]
    )


@pytest.mark.filterwarnings("error")
def test_a_corner_that_is_there_twice_changes_nothing():
    points = np.array(SHAPES["convex"])
    share, slopes = coverage.polygon(PX, PY, np.repeat(points, [1, 2, 1, 1], 0), 1.0)
    once, by_corner = coverage.polygon(PX, PY, points, 1.0)
    assert np.allclose(share, once) and np.allclose(slopes[:, 1] + slopes[:, 2], by_corner[:, 1])


@pytest.mark.parametrize("name", SHAPES)
def test_polygon_derivatives(name):
    points, step = np.array(SHAPES[name]), 1e-5
    _, slopes = coverage.polygon(PX, PY, points, 1.0)
    for corner in range(len(points)):
        for axis in range(2):
            move = np.zeros_like(points)
            move[corner, axis] = step
            difference = (
                coverage.polygon(PX, PY, points + move, 1.0)[0]
                - coverage.polygon(PX, PY, points - move, 1.0)[0]
            )
            assert np.allclose(slopes[:, corner, axis], difference / (2 * step), atol=0.01)


@pytest.mark.parametrize("name", SHAPES)
def test_derivatives_by_a_pose_are_those_of_the_corners_together(name):
    points, pose = np.array(SHAPES[name]), np.array([17.0, 21.0, 0.4])
    share, slopes = coverage.polygon(PX, PY, points, 1.0)
    once, by_pose = coverage.placed_polygon(PX, PY, points, pose, 1.0)
    turned = np.stack([pose[1] - points[:, 1], points[:, 0] - pose[0]], 1)
    expected = np.column_stack([slopes.sum(1), np.einsum("nek,ek->n", slopes, turned)])
    assert np.array_equal(share, once) and np.allclose(by_pose, expected)


@pytest.mark.parametrize("radius", [2.5, 5.0, 14.0])
def test_disk_coverage_and_area(radius):
    share, _ = coverage.disk(PX, PY, 19.3, 20.1, radius, 1.0)
    brute = sampled(lambda u, v: (u - 19.3) ** 2 + (v - 20.1) ** 2 <= radius**2, 1.0)
    assert np.abs(share - brute).max() < 0.02
    assert share.sum() == pytest.approx(math.pi * radius**2, abs=0.05)


def test_disk_derivatives():
    at, step = np.array([19.3, 20.1, 7.2]), 1e-5
    _, slopes = coverage.disk(PX, PY, *at, 1.0)
    for k in range(3):
        move = np.eye(3)[k] * step
        difference = (
            coverage.disk(PX, PY, *(at + move), 1.0)[0]
            - coverage.disk(PX, PY, *(at - move), 1.0)[0]
        )
        assert np.abs(slopes[:, k] - difference / (2 * step)).max() < 0.05


@pytest.mark.parametrize("width", [0.05, 1.0, 4.0])
def test_windows_agree_with_the_lists(width):
    points = np.array(SHAPES["notched"])
    x0, y0, alpha = polygon_coverage((40, 40), points, width)
    whole = np.zeros((40, 40))
    whole[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]] = alpha
    assert np.abs(whole.ravel() - coverage.polygon(PX, PY, points, width)[0]).max() < 1e-6
    x0, y0, alpha = disk_coverage((40, 40), 19.3, 20.1, 9.0, width)
    whole[:] = 0
    whole[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]] = alpha
    assert np.abs(whole.ravel() - coverage.disk(PX, PY, 19.3, 20.1, 9.0, width)[0]).max() < 1e-6


def test_outside_the_image_nothing_is_covered():
    assert polygon_coverage((40, 40), np.array(SHAPES["convex"]) + 100, 1.0) is None
    assert disk_coverage((40, 40), -20.0, 5.0, 8.0) is None


def test_a_shape_larger_than_the_image_covers_all_of_it():
    x0, y0, alpha = polygon_coverage(
        (30, 40), np.array([(-90, -80), (200, -80), (200, 200), (-90, 200)]), 1.0
    )
    assert (x0, y0) == (0, 0) and alpha.shape == (30, 40) and (alpha == 1).all()


@pytest.mark.parametrize("size", [(20.0, 12.0), (25.0, 1.4), (0.7, 18.0)])
@pytest.mark.parametrize("angle", [0.0, 0.4, 1.9])
def test_box_is_the_polygon_of_its_corners(size, angle):
    pose = np.array([19.3, 20.1, angle])
    share, slopes = coverage.box(PX, PY, pose, size, 1.0)
    corners = box_corners(*pose, *size)
    assert np.allclose(share, coverage.polygon(PX, PY, corners, 1.0)[0], atol=1e-9)
    step = 1e-5
    for k in range(5):
        move = np.eye(5)[k] * step
        high, low = (
            coverage.box(PX, PY, pose + d[:3], tuple(np.add(size, d[3:])), 1.0)[0]
            for d in (move, -move)
        )
        assert np.abs(slopes[:, k] - (high - low) / (2 * step)).max() < 0.02 * max(
            1.0, np.abs(slopes[:, k]).max()
        )


@pytest.mark.parametrize("radius", [0.0, 0.4, 3.0, 11.7])
@pytest.mark.parametrize("width", [0.0, 0.3, 1.1, 4.0])
def test_a_disk_is_worked_out_at_its_rim_alone(radius, width):
    x, y = 20.0, 17.3
    share, slopes = coverage.disk(PX, PY, x, y, radius, width)
    wide = max(width, coverage.THINNEST)
    length = np.hypot(PX - x, PY - y)
    nx, ny = (PX - x) / np.maximum(length, 1e-9), (PY - y) / np.maximum(length, 1e-9)
    away = length - radius + wide * wide / (24 * max(radius, 0.5 * wide))
    everywhere, slope = coverage.half_plane(away, nx, ny, wide)
    np.testing.assert_array_equal(share, everywhere)
    np.testing.assert_array_equal(slopes, np.stack([-slope * nx, -slope * ny, -slope], 1))
