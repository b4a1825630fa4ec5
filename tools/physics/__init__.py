"""Building blocks for dynamics programs."""

from tools.physics.namespace import xp

__all__ = ["xp"]
