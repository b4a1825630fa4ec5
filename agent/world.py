"""The front door to found programs: ``from agent.world import WorldModel``; see
agent.worldmodel.world."""

from agent.worldmodel.world import Prediction, ProgramsFailed, WorldModel

__all__ = ["Prediction", "ProgramsFailed", "WorldModel"]
