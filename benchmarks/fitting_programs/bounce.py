"""A ball that bounces on a floor, simulated by pymunk in a space rebuilt from the state: contacts
are not smooth."""

import pymunk

from tools.types import Param

PARAMS = (
    Param("gravity", 300.0, low=0.0, high=3000.0, unit="px/s^2", about="downward acceleration"),
    Param(
        "elasticity", 0.5, low=0.0, high=1.0, unit="1", about="restitution between ball and floor"
    ),
    Param(
        "friction",
        0.3,
        low=0.0,
        high=2.0,
        unit="1",
        about="Coulomb friction between ball and floor",
    ),
)
LATENTS = ("ball.x", "ball.y", "ball.vx", "ball.vy")
SUBSTEPS = 4


def initial(states, params, dt):
    x, y = states.column("ball.x"), states.column("ball.y")
    ball = {"x": x[0], "y": y[0], "vx": (x[1] - x[0]) / dt, "vy": (y[1] - y[0]) / dt, "spin": 0.0}
    return {
        "ball": ball | {"radius": states.column("ball.radius")[0]},
        "floor": {"y": states.column("floor.y")[0]},
    }


def step(state, params, action, dt):
    ball = state["ball"]
    space, body = _space(ball, state["floor"]["y"], params)
    for _ in range(SUBSTEPS):
        space.step(dt / SUBSTEPS)
    (x, y), (vx, vy) = body.position, body.velocity
    return {"ball": {"x": x, "y": y, "vx": vx, "vy": vy, "spin": body.angular_velocity}}


def _space(ball, floor, params):
    space = pymunk.Space()
    space.gravity = (0.0, params["gravity"])
    body = pymunk.Body(1.0, pymunk.moment_for_circle(1.0, 0.0, ball["radius"]))
    body.position, body.velocity, body.angular_velocity = (
        (ball["x"], ball["y"]),
        (ball["vx"], ball["vy"]),
        ball["spin"],
    )
    shapes = (
        pymunk.Circle(body, ball["radius"]),
        pymunk.Segment(space.static_body, (-1e4, floor), (1e4, floor), 0.0),
    )
    for shape in shapes:
        shape.elasticity, shape.friction = params["elasticity"] ** 0.5, params["friction"] ** 0.5
    space.add(body, *shapes)
    return space, body
