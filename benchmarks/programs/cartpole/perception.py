"""Cart and pole of gymnasium's CartPole, told apart by colour."""

import numpy as np

from tools.types import Scene, States

CART, POLE = np.array([0, 0, 0]), np.array([202, 152, 101])
BELOW = slice(305, 312)  # rows of the cart below the pole's end


def perceive(frames, tools):
    table = np.array([measure(frame) for frame in frames])
    pivot = 292.0
    x = table[:, 0]
    angle = np.unwrap(np.arctan2(table[:, 1] - x, pivot - table[:, 2]))
    middle = x + 0.5  # the drawing rounds down
    states = States(("cart.x", "pole.angle"), np.stack([middle, angle], axis=1), np.array([0.29, 0.004]))
    constants = {"cart": {"y": 300.0, "width": 50.0, "height": 30.0}, "pole": {"y": pivot, "long": 125.0, "wide": 10.0}}
    background = np.full(frames.shape[1:], 255, np.uint8)
    background[299] = 0
    return states, Scene(background, {}, constants, ("cart", "pole"))


def measure(frame):
    """(x of the cart, x and y of the pole's visible centre) in pixels."""
    black = (np.abs(frame.astype(int) - CART) < 40).all(axis=2)
    brown = (np.abs(frame.astype(int) - POLE) < 40).all(axis=2)
    columns = np.flatnonzero(black[BELOW].any(axis=0))
    rows, across = np.nonzero(brown)
    return (columns.min() + columns.max()) / 2.0, across.mean(), rows.mean()
