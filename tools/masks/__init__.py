"""Masks as data: how a perception program asks for them, what it is given, and states from them.

NumPy and OpenCV only, so that it can be used inside the sandbox; the networks that make masks are
in ``tools.vision``.
"""

from tools.masks.request import DetectionRequest, MaskSet, Toolbox, parse_detections
from tools.masks.states import mask_states

__all__ = ["DetectionRequest", "MaskSet", "Toolbox", "mask_states", "parse_detections"]
