"""Bodies in camera pictures, coarse to fine, in reading order:

``kind`` camera or drawing; ``noise`` variance that grows with the signal; ``steady`` camera and
light taken out; ``ground`` the plate; ``change`` blobs of what differs from it; ``linking`` blobs
of one thing over time; ``sprite`` one picture with a matte and its pose in a frame; ``bodies`` both
in turns over all frames; ``moving`` tracks.
"""

from tools.perception.camera.kind import is_camera
from tools.perception.camera.moving import moving_bodies

__all__ = ["is_camera", "moving_bodies"]
