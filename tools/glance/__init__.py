"""What a handful of frames foretell at a glance, without a search: patches of smooth colour, how
they moved, where that leads, and the last frame redrawn with them there.

``patches`` pieces of one picture; ``movers`` the same pieces over time; ``course`` where a body
goes on to; ``scenery`` what stands in its way and what it hides; ``foretell`` frames to come.
"""

from tools.glance.foretell import Glance, foretell, straight

__all__ = ["Glance", "foretell", "straight"]
