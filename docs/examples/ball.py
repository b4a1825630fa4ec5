"""Draws the clip of the how-tos: a ball thrown over a floor. python docs/examples/ball.py [FOLDER]

Writes ball.npz (lossless), ball.mp4 and frames/ (PNG) into FOLDER (default: here).
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from tools import media

DT, RADIUS, FLOOR = 1 / 30, 9, 130


def draw(count: int = 40) -> np.ndarray:
    """(count, 150, 200, 3) uint8: gravity 300 px/s^2, the floor gives back 0.8 of the velocity."""
    x, y, vx, vy = 20.0, 40.0, 80.0, -40.0
    frames = []
    for _ in range(count):
        frame = np.full((150, 200, 3), 235, np.uint8)
        frame[FLOOR:] = (150, 140, 120)
        centre = (round(16 * x), round(16 * y))  # in sixteenths of a pixel
        cv2.circle(frame, centre, 16 * RADIUS, (200, 60, 40), -1, cv2.LINE_AA, shift=4)
        frames.append(frame)
        for _ in range(20):
            x, y, vy = x + vx * DT / 20, y + vy * DT / 20, vy + 300 * DT / 20
            if y > FLOOR - RADIUS and vy > 0:
                vy *= -0.8
    return np.stack(frames)


def main(folder: Path) -> None:
    """Write the clip in its three forms."""
    frames = draw()
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    for suffix in (".npz", ".mp4"):
        media.write(folder / f"ball{suffix}", frames, DT)
    for number, frame in enumerate(frames):
        media.write_image(folder / "frames" / f"{number:03}.png", frame)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
