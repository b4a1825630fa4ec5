"""Whether a video keeps to the physics that it shows itself, in reading order:

``codec`` what compression leaves; ``trunk`` bodies without the rods that hang on them; ``circle``
ways round a circle, unrolled; ``eyes`` bodies of a drawing over all frames; ``touch`` what a body
meets; ``innovation`` places against what the frames before foretold; ``naming`` what kind of break
it is; ``lean`` what turns on the spot; ``looks`` bodies that appear, vanish, change size or colour;
``hidden`` what is hidden for a while; ``pull`` accelerations that change; ``verdict`` all of it for
one video; ``against`` it against what a world model foretold.
"""

from tools.judge.against import departures
from tools.judge.naming import Violation
from tools.judge.verdict import Verdict, judge

__all__ = ["Verdict", "Violation", "departures", "judge"]
"""Public names."""
