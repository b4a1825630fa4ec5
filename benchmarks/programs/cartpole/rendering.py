"""Cart, pole and axle as gymnasium draws them: polygons whose corners lie on whole pixels."""

import math

import cv2
import numpy as np


def render(state, scene, shape):
    image = scene.background.copy()
    x, angle = state["cart"]["x"], state["pole"]["angle"]
    if not (math.isfinite(x) and math.isfinite(angle)) or abs(x) > 1e5:
        return image
    left, right = math.floor(x - 25.0), math.floor(x + 25.0)
    polygon(image, [(left, 314), (left, 284), (right, 284), (right, 314)], (0, 0, 0))
    tip = round(state["pole"].get("long", 125.0)) - 5.0
    corners = ((-5.0, -5.0), (-5.0, tip), (5.0, tip), (5.0, -5.0))  # up is positive
    turned = [
        (u * math.cos(angle) + v * math.sin(angle), -u * math.sin(angle) + v * math.cos(angle))
        for u, v in corners
    ]
    polygon(
        image,
        [(math.floor(x + u), 399 - math.floor(107.5 + v)) for u, v in turned],
        (202, 152, 101),
    )
    cv2.circle(image, (math.floor(x), 292), 5, (129, 132, 203), -1, cv2.LINE_AA)
    image[299] = 0
    return image


def polygon(image, corners, colour):
    cv2.fillPoly(image, [np.array(corners, np.int32)], colour, cv2.LINE_8)
