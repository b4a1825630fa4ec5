"""Cart and pole of gymnasium's CartPole, told apart by colour."""

import numpy as np

from tools.types import Scene, States

CART, POLE = (0, 0, 0), (202, 152, 101)
BELOW = slice(300, 313)  # rows in which the cart is seen beside the pole's end and off the rail
PIVOT = 292.0  # row of the hinge
COLUMNS = ("cart.x", "cart.y", "pole.x", "pole.y", "pole.angle")


def perceive(frames, tools):
    cart = np.array([middle(frame[BELOW], CART) for frame in frames]) + np.array(
        [0.5, BELOW.start]
    )  # the drawing rounds down
    pole = np.array([centroid(frame, POLE) for frame in frames])
    angle = np.unwrap(np.arctan2(pole[:, 0] - (cart[:, 0] - 0.5), PIVOT - pole[:, 1]))
    table = np.column_stack([cart, pole, angle])
    constants = {"cart": {"width": 50.0, "height": 30.0}, "pole": {"wide": 10.0}}
    background = np.full(frames.shape[1:], 255, np.uint8)
    background[299] = 0
    return States(COLUMNS, table, np.array([0.29, 0.29, 0.3, 0.3, 0.004])), Scene(
        background, {}, constants, ("cart", "pole")
    )


def painted(picture, colour):
    return (np.abs(picture.astype(int) - colour) < 40).all(axis=2)


def middle(picture, colour):
    """(x, y) halfway between the outermost pixels of a colour."""
    rows, columns = np.nonzero(painted(picture, colour))
    return (columns.min() + columns.max()) / 2.0, (rows.min() + rows.max()) / 2.0


def centroid(picture, colour):
    """(x, y) mean of the pixels of a colour."""
    rows, columns = np.nonzero(painted(picture, colour))
    return columns.mean(), rows.mean()
