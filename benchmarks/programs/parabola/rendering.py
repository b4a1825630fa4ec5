"""Anti-aliased disks on white, the second over the first. The drawing fades inwards, so half
coverage lies at 0.9925 R."""

from tools.rendering import canvas, draw_disk, finish, visible

COLOURS = {"ball_1": (255, 0, 0), "ball_2": (0, 0, 255)}


def render(state, scene, shape):
    image = canvas(scene.background)
    for name, colour in COLOURS.items():
        ball = state.get(name)
        if visible(ball, "x", "y", "radius"):
            draw_disk(
                image,
                ball["x"],
                ball["y"],
                0.9925 * ball["radius"],
                colour,
                max(1.0, 0.015 * ball["radius"]),
            )
    return finish(image)
