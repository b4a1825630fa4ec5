"""Every measuring function and value that a perception program may use, flat: the ``tools`` of
``perceive(frames, tools)``."""

from tools.masks.states import mask_states
from tools.perception.appearance_fit import flat_colour
from tools.perception.assemble import scene_of, size_of, states_of, with_light
from tools.perception.background import background, dominant_colour, fill, pixel_noise, plain
from tools.perception.camera import is_camera, moving_bodies
from tools.perception.given import as_given, same_clip
from tools.perception.lattice import on_grid
from tools.perception.links import linked
from tools.perception.parts import Appearance, Part, Track
from tools.perception.segmentation import Region, coverage, foreground, moments, palette, regions
from tools.perception.swelling import resized
from tools.perception.tracking import Tracks, discover, track
from tools.types import Scene, States

__all__ = [
    "Appearance",
    "Part",
    "Region",
    "Scene",
    "States",
    "Track",
    "Tracks",
    "as_given",
    "background",
    "coverage",
    "discover",
    "dominant_colour",
    "fill",
    "flat_colour",
    "foreground",
    "is_camera",
    "linked",
    "mask_states",
    "moments",
    "moving_bodies",
    "on_grid",
    "palette",
    "pixel_noise",
    "plain",
    "regions",
    "resized",
    "same_clip",
    "scene_of",
    "size_of",
    "states_of",
    "track",
    "with_light",
]
