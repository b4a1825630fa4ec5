"""The offline proposer: searches a grammar of mechanisms. Needs no key and no network.

It sees what every proposer sees, visible frames and evaluations. Evidence read off the frames
(tracks, joints, velocity jumps, forces in integral form) ranks the drafts; the diagnosis of a node
picks among the edits of its mechanism.
"""

from agent.proposers.offline.proposer import OfflineProposer, RandomProposer

__all__ = ["OfflineProposer", "RandomProposer"]
