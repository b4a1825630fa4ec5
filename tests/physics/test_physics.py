"""Physics against closed forms and conservation laws."""

import math

import numpy as np
import pytest

from tools.physics import (
    Link,
    accelerations,
    bounce_off_line,
    bounce_off_stop,
    collide_disks,
    corners_of,
    explicit_euler,
    frames_of,
    rk4,
    start_along,
    start_at_rest,
    start_of,
    start_of_angle,
    symplectic_euler,
    turned,
    value_and_rate,
)
from tools.physics.engine import Ground, Solid, jostle
from tools.rendering import box_corners
from tools.types import States


def oscillator(q, v):
    return (-4.0 * q[0],)


@pytest.mark.parametrize(
    ("integrate", "order"), [(rk4, 4), (symplectic_euler, 1), (explicit_euler, 1)]
)
def test_integrators_converge_at_their_order(integrate, order):
    def error(steps: int) -> float:
        (q,), _ = integrate((1.0,), (0.0,), oscillator, 1.0, steps)
        return abs(q - math.cos(2.0))

    assert error(40) / error(80) == pytest.approx(2**order, rel=0.35)


@pytest.mark.parametrize(("theta", "omega"), [(0.1, 0.5), (0.7, -2.0), (-1.3, 3.0)])
def test_a_slider_with_a_rod_obeys_the_textbook_equations_of_the_cart_and_pole(theta, omega):
    """Florian (2007), 'Correct equations for the dynamics of the cart-pole system', without
    friction."""
    m_cart, m_pole, half, g, force = 1.0, 0.1, 0.5, 9.8, -10.0
    pull = (force + m_pole * half * omega**2 * math.sin(theta)) / (m_cart + m_pole)
    turn = (g * math.sin(theta) - math.cos(theta) * pull) / (
        half * (4 / 3 - m_pole * math.cos(theta) ** 2 / (m_cart + m_pole))
    )
    push = pull - m_pole * half * turn * math.cos(theta) / (m_cart + m_pole)
    links = [
        Link("cart", "slide", mass=m_cart),
        Link(
            "pole", "hinge", on="cart", com=(half, 0.0), mass=m_pole, inertia=m_pole * half**2 / 3
        ),
    ]
    found = accelerations(
        links, (0.0, theta - math.pi / 2), (0.0, omega), (0.0, g), {"cart": force}
    )
    assert found == pytest.approx((push, turn), rel=1e-12)


def energy(links, q, v, g):
    """Kinetic plus potential energy, velocities of the centres of mass by central differences of
    the kinematics."""

    def centres(q):
        poses = frames_of(links, q)
        return np.array(
            [np.add(poses[link.name][:2], turned(link.com, poses[link.name][2])) for link in links]
        )

    h = 1e-6
    speed = (
        centres([a + h * b for a, b in zip(q, v, strict=True)])
        - centres([a - h * b for a, b in zip(q, v, strict=True)])
    ) / (2 * h)
    kinetic = sum(
        0.5 * link.mass * (speed[k] ** 2).sum() + 0.5 * link.inertia * v[k] ** 2
        for k, link in enumerate(links)
    )
    return kinetic - sum(link.mass * g * centres(q)[k, 1] for k, link in enumerate(links))


def test_a_chain_of_three_links_conserves_energy():
    links = [
        Link("a", "hinge", com=(0.6, 0.1), mass=1.0, inertia=0.2),
        Link("b", "hinge", on="a", at=(1.0, 0.0), com=(0.5, 0.0), mass=0.7, inertia=0.1),
        Link("c", "hinge", on="b", at=(0.8, 0.1), com=(0.3, -0.1), mass=0.4, inertia=0.05),
    ]
    q, v = (0.3, -0.5, 1.0), (1.0, -2.0, 0.5)
    before = energy(links, q, v, 9.8)
    for _ in range(400):
        q, v = rk4(q, v, lambda q, v: accelerations(links, q, v, (0.0, 9.8)), 0.0025)
    assert energy(links, q, v, 9.8) == pytest.approx(before, abs=1e-5)


def test_a_batch_of_links_moves_like_its_members():
    angles, rates = np.array([0.2, -1.0, 2.0]), np.array([0.0, 1.0, -3.0])
    links = [
        Link("cart", "slide", mass=1.0),
        Link(
            "pole",
            "hinge",
            on="cart",
            com=(50.0, 0.0),
            mass=np.array([0.1, 0.5, 2.0]),
            inertia=300.0,
        ),
    ]
    together = accelerations(links, (0.0, angles), (0.0, rates), (0.0, 900.0))
    for k in range(3):
        alone = [
            links[0],
            Link(
                "pole", "hinge", on="cart", com=(50.0, 0.0), mass=(0.1, 0.5, 2.0)[k], inertia=300.0
            ),
        ]
        assert [part[k] for part in together] == pytest.approx(
            accelerations(alone, (0.0, angles[k]), (0.0, rates[k]), (0.0, 900.0))
        )


def test_a_bounce_reflects_position_and_speed_about_the_line():
    x, y, vx, vy = bounce_off_line(10.0, 98.0, 30.0, 100.0, (0.0, -1.0), -100.0, 5.0, 0.5)
    assert (x, vx) == (10.0, 30.0)
    assert y == pytest.approx(95.0 - 0.5 * 3.0)
    assert vy == pytest.approx(-50.0)


def test_a_bounce_with_friction_never_reverses_the_sliding():
    *_, vx, vy = bounce_off_line(0.0, 1.0, 3.0, 100.0, (0.0, -1.0), 0.0, 0.0, 1.0, friction=0.9)
    assert vx == 0.0
    assert vy == -100.0


def test_leaving_the_line_changes_nothing_but_the_overlap():
    x, y, vx, vy = bounce_off_line(0.0, 1.0, 3.0, -100.0, (0.0, -1.0), 0.0, 0.0, 1.0)
    assert (x, y, vx, vy) == (0.0, 0.0, 3.0, -100.0)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 4.0])
def test_colliding_disks_keep_momentum_and_with_restitution_one_energy(ratio):
    a = {"x": 0.0, "y": 0.0, "vx": 50.0, "vy": 10.0}
    b = {"x": 9.0, "y": 3.0, "vx": -20.0, "vy": 0.0}
    c, d = collide_disks(a, b, 10.0, ratio, 1.0)
    for axis in ("vx", "vy"):
        assert c[axis] + ratio * d[axis] == pytest.approx(a[axis] + ratio * b[axis])
    power = lambda p, q: sum(p[k] ** 2 + ratio * q[k] ** 2 for k in ("vx", "vy"))  # noqa: E731
    assert power(c, d) == pytest.approx(power(a, b))
    assert math.hypot(d["x"] - c["x"], d["y"] - c["y"]) > math.hypot(9.0, 3.0)


def test_corners_in_a_state_are_those_of_the_drawing():
    corners = corners_of(30.0, 20.0, 0.4, 16.0, 6.0)
    drawn = box_corners(30.0, 20.0, 0.4, 16.0, 6.0).ravel()
    assert list(corners.values()) == pytest.approx(drawn.tolist())


def table(**columns) -> States:
    return States(tuple(f"ball.{name}" for name in columns), np.stack(list(columns.values()), 1))


def test_first_places_and_speeds_are_read_through_gaps():
    t = np.arange(10) * 0.1
    x = 5.0 + 20.0 * t + 3.0 * t**2
    x[2] = np.nan
    assert value_and_rate(x, 0.1) == pytest.approx((5.0, 20.0))
    late = x.copy()
    late[:3] = np.nan
    place, speed = value_and_rate(late, 0.1)
    assert place == pytest.approx(5.0, abs=0.4) and speed == pytest.approx(21.8, abs=0.1)
    assert start_of(table(x=x, y=0 * t), "ball", ("x", "y"), 0.1)["vx"] == pytest.approx(20.0)


def test_first_coordinates_along_a_line_and_around_a_pivot():
    t = np.arange(8) * 0.1
    slope = table(x=10.0 + 3.0 * t, y=20.0 + 4.0 * t)
    assert start_along(slope, "ball", (10.0, 20.0), (0.6, 0.8), 0.1) == pytest.approx(
        {"s": 0.0, "v": 5.0}
    )
    angle = 3.0 + 2.0 * t
    circle = table(x=50 + 30 * np.cos(angle), y=60 + 30 * np.sin(angle))
    start = start_of_angle(circle, "ball", (50.0, 60.0), 0.1)
    assert start == pytest.approx({"angle": 3.0, "spin": 2.0})


@pytest.mark.parametrize("integrate", [rk4, symplectic_euler, explicit_euler])
def test_many_states_at_once_go_where_each_goes_alone(integrate):
    rng = np.random.default_rng(0)

    def pulled(q, v):
        return (-3.0 * q[0] - 0.2 * v[0], 9.81, q[0] - q[2])

    q, v = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    together = integrate(tuple(q), tuple(v), pulled, 0.1, 3)
    for k in range(5):
        alone = integrate(tuple(q[:, k].tolist()), tuple(v[:, k].tolist()), pulled, 0.1, 3)
        assert [[float(row[k]) for row in part] for part in together] == [
            list(part) for part in alone
        ]


def test_contacts_of_a_batch_are_those_of_its_members():
    """Some disks touch and some do not; where none does, nothing is computed."""
    rng = np.random.default_rng(0)
    x, y, vx, vy = (
        rng.uniform(0, 30, 40),
        rng.uniform(0, 30, 40),
        rng.normal(0, 50, 40),
        rng.normal(0, 50, 40),
    )
    bounced = bounce_off_line(x, y, vx, vy, (0.0, -1.0), -25.0, 4.0, 0.8, 0.3)
    a, b = {"x": x, "y": y, "vx": vx, "vy": vy}, {"x": y, "y": x + 3.0, "vx": vy, "vy": vx}
    collided = collide_disks(a, b, 10.0, 2.0, 0.9)
    moved = set()
    for k in range(40):
        alone = bounce_off_line(
            *(float(part[k]) for part in (x, y, vx, vy)), (0.0, -1.0), -25.0, 4.0, 0.8, 0.3
        )
        assert np.allclose([part[k] for part in bounced], alone, rtol=0, atol=1e-12)
        pair = collide_disks(
            *({name: float(part[k]) for name, part in one.items()} for one in (a, b)),
            10.0,
            2.0,
            0.9,
        )
        assert all(
            np.isclose(many[name][k], one[name], rtol=0, atol=1e-9)
            for many, one in zip(collided, pair, strict=True)
            for name in many
        )
        moved.add((alone[1] != y[k], pair[0]["x"] != x[k]))
    assert len(moved) == 4


def test_a_swing_is_folded_back_at_its_stop():
    angle, spin = bounce_off_stop(
        np.array([0.1, 0.3, 0.3]), np.array([1.0, 1.0, -1.0]), 0.2, 1.0, 0.5
    )
    assert angle == pytest.approx([0.1, 0.15, 0.3]) and spin == pytest.approx([1.0, -0.5, -1.0])
    angle, spin = bounce_off_stop(-0.3, -2.0, -0.2, -1.0, 1.0)
    assert float(angle) == pytest.approx(-0.1) and float(spin) == 2.0


def test_a_solid_on_a_pin_swings_about_it_as_a_physical_pendulum():
    rod = Solid("rod", mass=1.0, pin=(100.0, 50.0), hang=(-60.0, 0.0))
    part = {"width": 120.0, "height": 8.0, "x": 0.0, "y": 0.0, "angle": math.pi / 2 + 0.05}
    state, dt, gravity = {"rod": part | {"spin": 0.0}}, 1 / 60, 600.0
    inertia = (120.0**2 + 8.0**2) / 12 + 60.0**2
    period = 2 * math.pi * math.sqrt(inertia / (gravity * 60.0))
    turns = []
    for _ in range(round(period / dt)):
        state = jostle(
            state, [rod], [], 0.5, 0.5, lambda at, elapsed: {"rod": (0.0, gravity, 0.0)}, dt
        )
        turns.append(state["rod"]["angle"] - math.pi / 2)
    assert turns[-1] == pytest.approx(0.05, abs=0.002)
    assert min(turns) == pytest.approx(-0.05, abs=0.002)
    assert math.dist((state["rod"]["x"], state["rod"]["y"]), (100.0, 50.0)) == pytest.approx(60.0)
    assert "vx" not in state["rod"]


def test_what_falls_on_a_plank_on_a_pin_turns_it():
    plank = Solid("plank", mass=1.0, pin=(100.0, 100.0))
    stone = Solid("stone", mass=1.0)
    state = {
        "plank": {"width": 120.0, "height": 8.0, "x": 100.0, "y": 100.0, "angle": 0.0, "spin": 0.0},
        "stone": {"radius": 8.0, "x": 140.0, "y": 60.0, "angle": 0.0, "spin": 0.0}
        | {"vx": 0.0, "vy": 0.0},
    }
    fall = (0.0, 500.0, 0.0)
    for _ in range(40):
        state = jostle(
            state,
            [plank, stone],
            [],
            0.1,
            0.5,
            lambda at, elapsed: {"plank": fall, "stone": fall},
            1 / 60,
        )
    assert state["plank"]["angle"] > 0.1
    assert (state["plank"]["x"], state["plank"]["y"]) == (100.0, 100.0)


@pytest.mark.parametrize("second", [(0.0, 300.0, 0.0), (90.0, 300.0, 1.5)])
def test_accelerations_that_stay_may_be_told_once(second):
    """As gravity where all bodies feel the same, as forces where they do not."""
    kicks = {"one": (0.0, 300.0, 0.0), "other": second}
    floor = [Ground((0.0, -1.0), -100.0, 0.3)]
    solids = [Solid("one", density=1.0), Solid("other", density=1.0)]
    box = {"width": 14.0, "height": 20.0, "angle": 0.2, "spin": 0.5, "vx": 10.0, "vy": 0.0}
    told = {"one": {**box, "x": 40.0, "y": 70.0}, "other": {**box, "x": 60.0, "y": 80.0}}
    asked = told
    for _ in range(15):
        told = jostle(told, solids, floor, 0.3, 0.5, kicks, 1 / 40)
        asked = jostle(asked, solids, floor, 0.3, 0.5, lambda at, elapsed: kicks, 1 / 40)
    for name, part in told.items():
        assert part == pytest.approx(asked[name], abs=1e-6)


def test_what_stands_still_at_first_starts_without_a_rate():
    still = States(("a.x", "a.y"), np.array([[5.0, 8.0]] * 5 + [[5.2, 8.0], [9.0, 8.0]]))
    assert start_at_rest(still, "a", ("x", "y"), 0.1) == {"x": 5.0, "vx": 0.0, "y": 8.0, "vy": 0.0}
    moving = States(("a.x", "a.y"), np.array([[5.0 + k, 8.0] for k in range(7)]))
    assert start_at_rest(moving, "a", ("x", "y"), 0.1)["vx"] == pytest.approx(10.0)
