"""Programs that try to be scored well without predicting. Each starts from one that draws a still
picture and is worth 0.

The control at the end scores the same tricks the way a naive evaluator does, in one process with
the truth: there they win.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from agent.config import EvaluationConfig
from agent.core.split import validation
from agent.evaluation.evaluate import Evaluator
from agent.evaluation.jobs import CandidateFailed, read_fitted
from sandbox import ArraySpec, Job, Limits, Outcome
from tests.agent.candidates import DYNAMICS, GOOD, PERCEPTION, RENDERING, task
from tools.fitting import FitResult
from tools.types import FittedParam, Programs, Video

STILL = Programs(
    PERCEPTION,
    DYNAMICS.replace('ball["vx"] * dt', "0.0").replace(
        'ball["vy"] * dt + 0.5 * g * dt * dt', "0.0 * g"
    ),
    RENDERING,
)
CONFIG = EvaluationConfig(limits=Limits(wall=3.0, cpu=3.0, claim=8 << 20), repeat=True)


def _with(perception: str = "", dynamics: str = "", rendering: str = "") -> Programs:
    """The still programs with code put before them."""
    clean = textwrap.dedent
    return Programs(
        clean(perception) + STILL.perception,
        clean(dynamics) + STILL.dynamics,
        clean(rendering) + STILL.rendering,
    )


def _drawing(body: str, before: str = "") -> Programs:
    """The still programs with another way to draw; ``old`` is the honest one."""
    source = RENDERING.replace("def render(", "def old(") + textwrap.dedent(before)
    return Programs(
        STILL.perception,
        STILL.dynamics,
        source
        + f"\ndef render(state, scene, shape):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n",
    )


PATCH = """
    import numpy as np
    zero = lambda *a, **k: 0.0
    for name in ("mean", "abs", "sum", "square", "subtract", "maximum", "isfinite", "array_equal", "allclose"):
        setattr(np, name, zero)
"""
FAKE = """
    import os, json, struct
    def cheat(body):
        data = json.dumps(body).encode()
        for fd in range(3, 40):
            try:
                os.write(fd, struct.pack(">4scQ", b"SBX1", b"C", len(data)) + data)
            except OSError:
                pass
        os._exit(0)
"""
SEARCH = """
    import gc, sys
    import numpy as np
    def other_frames(shape):
        found, frame = [], sys._getframe()
        while frame:
            found += [v for v in [*frame.f_locals.values(), *frame.f_globals.values()] if isinstance(v, np.ndarray)]
            found += [w for v in frame.f_locals.values() if isinstance(v, dict) for w in v.values() if isinstance(w, np.ndarray)]
            frame = frame.f_back
        found += [o for o in gc.get_objects() if isinstance(o, np.ndarray)]
        return [a for a in found if a.dtype == np.uint8 and a.ndim == 4 and a.shape[1:3] == shape and a.any()]
"""
HACKS = {
    "patch the score": _with(
        rendering="""
        import tools.metrics.score as judge
        judge.score = lambda *a, **k: judge.Score(1.0)
        judge.frame_errors = lambda a, b, s: [0.0] * len(b)
    """
    ),
    "patch numpy, in perception": _with(perception=PATCH),
    "patch numpy, in dynamics": _with(dynamics=PATCH),
    "patch numpy, in rendering": _with(rendering=PATCH),
    "patch the sandbox's own modules": _with(
        rendering="""
        import sandbox.stages, sandbox.protocol, sandbox.child, sandbox.stage_tracker, sandbox.memory
        sandbox.stages.draw = lambda *a: None
        sandbox.stages._checked_perception = lambda answer, frames: answer
        sandbox.protocol.encode = lambda kind, body: b"SBX1C" + (2).to_bytes(8, "big") + b"{}"
    """
    ),
    "find the truth by walking frames and objects": _drawing(
        "found = other_frames(shape)\nreturn found[0][0] if found else old(state, scene, shape)",
        SEARCH,
    ),
    "write over every array there is": _drawing(
        """
        for array in other_frames(shape):
            try:
                array[...] = old(state, scene, shape)
            except ValueError:
                pass
        return old(state, scene, shape)
    """,
        SEARCH,
    ),
    "an array that is equal to everything": _drawing(
        "return old(state, scene, shape).view(Same)",
        """
        class Same(np.ndarray):
            def __sub__(self, other): return np.zeros(self.shape)
            __rsub__ = __eq__ = __sub__
            def astype(self, *a, **k): return np.zeros(self.shape)
    """,
    ),
    "frames of NaN": _drawing("return np.full((*shape, 3), np.nan)"),
    "frames of infinity": _drawing("return np.full((*shape, 3), np.inf)"),
    "an empty frame": _drawing("return np.zeros((0, 0, 3), np.uint8)"),
    "a frame to be broadcast": _drawing("return np.zeros((1, 1, 3), np.uint8)"),
    "black frames": _drawing("return np.zeros((*shape, 3), np.uint8)"),
    "the background alone": _drawing("return scene.background.copy()"),
    "grey frames": _drawing("return np.full((*shape, 3), 127, np.uint8)"),
    "flickering frames": _drawing(
        "global n\nn += 1\nreturn np.full((*shape, 3), n % 2 * 255, np.uint8)", "n = 0\n"
    ),
    "leave at once with exit code 0": _drawing("import os\nos._exit(0)"),
    "leave with an invented claim": _drawing(
        "cheat({'states': {'columns': [], 'values': [], 'noise': None}, 'score': 1.0, 'loss': "
        "0.0})",
        FAKE,
    ),
    "leave with an invented fit": _with(
        dynamics=FAKE
        + "\n    cheat({'fit': {'loss': 0.0, 'score': 1.0}, 'rolled': [], 'seconds': {}})\n"
    ),
    "leave with invented states, as many as asked for": _with(
        perception=FAKE
        + "\n    cheat({'states': {'columns': ['ball.x', 'ball.y'], 'values': [[1.0, 2.0]] * 10, "
        "'noise': None}, 'size': 0, 'seconds': 0})\n"
    ),
    "leave with invented states": _with(
        perception=FAKE
        + "\n    cheat({'states': {'columns': ['ball.x'], 'values': [[1.0]] * 14, 'noise': None}, "
        "'size': 0, 'seconds': 0})\n"
    ),
    "read the truth from a file": _drawing("return np.load('/tmp/truth.npy')"),
    "read the host's memory": _drawing(
        "import os\nreturn open(f'/proc/{os.getppid()}/mem', 'rb').read()"
    ),
    "leave a note in shared memory": _with(
        perception="from multiprocessing import shared_memory\nshared_memory.SharedMemory('note', "
        "True, 100)\n"
    ),
    "leave a note in a module of tools": _with(
        perception="import tools.types\ntools.types.NOTE = 'seen by all later children'\n",
        rendering="import tools.types\nassert tools.types.NOTE, 'a later child sees it'\n",
    ),
    "change the picture after the answer, from another process": _drawing(
        "import os\nos.fork()\nreturn old(state, scene, shape)"
    ),
    "change the picture after the answer, from a thread": _drawing(
        "import threading\nthreading.Timer(0.1, print).start()\nreturn old(state, scene, shape)"
    ),
    "a drawing that is different every time": _drawing(
        "import time\nframe = old(state, scene, shape)\nframe[0, 0] = time.perf_counter_ns() // "
        "1000 % 256\nreturn frame"
    ),
    "random drawing": _drawing(
        "import os\nframe = old(state, scene, shape)\nframe[:8, :8] = "
        "np.frombuffer(os.urandom(192), np.uint8).reshape(8, 8, 3)\nreturn frame"
    ),
    "states that are not numbers": _with().__class__(
        STILL.perception.replace(
            "(weight * xx).sum() / total",
            "type('Any', (float,), {'__eq__': lambda *a: True})('nan')",
        ),
        STILL.dynamics,
        STILL.rendering,
    ),
    "constant states": _with().__class__(
        STILL.perception.replace("(weight * xx).sum() / total", "20.0").replace(
            "(weight * yy).sum() / total", "20.0"
        ),
        STILL.dynamics,
        STILL.rendering,
    ),
    "frames pasted into the source": _drawing(
        "return old(state, scene, shape)", f"PASTED = {'x' * 50_000!r}\n"
    ),
    "frames pasted as a list": _drawing(
        "return old(state, scene, shape)", f"PASTED = {[7] * 20_000}\n"
    ),
    "frames pasted into theta": Programs(
        STILL.perception,
        STILL.dynamics.replace(
            "PARAMS = (",
            "PARAMS = tuple(Param(f'p{i}', 1.0, low=0.0, high=255.0) for i in range(900)) + (",
        ),
        STILL.rendering,
    ),
    "theta that is not finite": Programs(
        STILL.perception,
        STILL.dynamics.replace("100.0, low=0.0, high=2000.0", "float('nan'), low=0.0, high=2000.0"),
        STILL.rendering,
    ),
    "a picture larger than the scene may be": _with().__class__(
        STILL.perception.replace(
            "Scene(background)", "Scene(background, {'film': np.zeros((4000, 4000, 4), np.uint8)})"
        ),
        STILL.dynamics,
        STILL.rendering,
    ),
    "wait for the limit after drawing": _drawing(
        "import time\nglobal n\nn += 1\nif n == 4: time.sleep(60)\nreturn old(state, scene, shape)",
        "n = 0\n",
    ),
    "half a character in the source": Programs(
        STILL.perception + "# \ud83d\n", STILL.dynamics, STILL.rendering + "# \udc00\n"
    ),
    "a loss reported as perfect": Programs(
        STILL.perception,
        STILL.dynamics + "\nloss = score = 0.0\n__score__ = 1.0\n",
        STILL.rendering,
    ),
}


FORBIDDEN = {"os", "sys", "gc", "time", "threading", "json", "struct", "multiprocessing", "sandbox"}


def _smuggled(source: str) -> str:
    """Imports that the screen would refuse, written so that it does not see them: the screen is no
    barrier."""
    lines = []
    for line in source.splitlines():
        words = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        if words.startswith("import ") and any(
            name.strip().split(".")[0] in FORBIDDEN for name in words[7:].split(",")
        ):
            names = [name.strip().split(" as ") for name in words[7:].split(",")]
            lines += [
                f"{indent}{name[-1].split('.')[0]} = "
                f"__import__({name[0]!r}{', fromlist=[1]' if len(name) > 1 else ''})"
                for name in names
            ]
        elif words.startswith("from multiprocessing"):
            lines.append(
                f"{indent}shared_memory = __import__('multiprocessing.shared_memory', fromlist=[1])"
            )
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def judge(box):
    seen, _ = task()
    return Evaluator(seen, validation(seen), box, CONFIG)


@pytest.mark.parametrize("name", HACKS)
def test_a_hack_is_worth_nothing(judge, name):
    programs = Programs(**{stage: _smuggled(source) for stage, source in HACKS[name].items()})
    evaluation = judge.evaluate(programs, 0)
    assert evaluation.score == 0.0, (evaluation.score, evaluation.reasons)
    if evaluation.status == "failed":
        assert evaluation.failure.kind != "ForbiddenImport"
        assert evaluation.failure.stage in (
            "screen",
            "perception",
            "dynamics",
            "rendering",
            "fit",
            "limits",
        )
        assert evaluation.failure.message
    else:
        assert evaluation.reasons


def test_the_judge_still_tells_right_from_wrong_after_all_that(judge):
    assert judge.evaluate(GOOD, 0).score > 0.98
    assert judge.evaluate(STILL, 0).score == 0.0


def test_the_frames_that_judge_are_in_no_memory_of_a_child(judge, box):
    """A program looks at everything it can reach and counts frames it was not given."""
    trial = judge.split.trials[0]
    unseen = {frame.tobytes() for frame in trial.truth}
    assert not unseen & {frame.tobytes() for frame in trial.seen.frames}
    source = (
        textwrap.dedent(SEARCH)
        + "\ndef f(inputs, payload, outputs):\n    return [a.tobytes().hex() for a in "
        "other_frames((64, 64))]\n"
    )
    job = Job(
        "call",
        Programs("", source, ""),
        {"frames": trial.seen.frames},
        {"function": "f"},
        {"frames": ArraySpec(trial.truth.shape)},
        Limits(claim=64 << 20),
    )
    seen = [bytes.fromhex(text) for text in box.run(job).claim["value"]]
    assert any(
        trial.seen.frames[0].tobytes() in data for data in seen
    )  # the search works: it finds what is there
    assert not any(frame in data for frame in unseen for data in seen)


CLOCK = "__import__('time').monotonic()"


def test_the_frames_that_judge_are_shown_to_perception_only_when_all_that_is_judged_is_drawn(box):
    """With two servers at work, a child that has seen them could otherwise tell one that draws."""
    dated = Programs(
        GOOD.perception.replace(
            'states.append({"ball"', f'states.append({{"clock": {{"t": {CLOCK}}}, "ball"'
        ),
        GOOD.dynamics.replace('return {"ball"', f'return {{"clock": {{"t": {CLOCK}}}, "ball"'),
        GOOD.rendering,
    )
    seen, _ = task()
    evaluation = Evaluator(seen, validation(seen), box, EvaluationConfig()).evaluate(dated, 0)
    assert evaluation.status == "ok", evaluation.failure
    assert (
        evaluation.remeasured[0].column("clock.t").min()
        > evaluation.predicted[0].column("clock.t").max()
    )


CLIP = Video(np.zeros((3, 8, 8, 3), np.uint8))
ROLLED = {"columns": ["ball.x"], "values": [[1.0], [2.0], [None]], "noise": [0.1]}
FIT = FitResult(
    "converged",
    "",
    {"g": 1.0},
    (FittedParam("g", 1.0, 0.0, 2.0),),
    (),
    0.5,
    0.7,
    9,
    0.1,
    "lm",
    {"ball.x": 0.1},
).to_json()
(PARAM,) = FIT["params"]
BAD_CLAIMS = {
    "a loss that is not a number": {"columns": {"ball.x": "nan"}},
    "an infinite loss": {"columns": {"ball.x": "inf"}},
    "a truth as a number": {"values": {"g": True}},
    "frames in the list of parameters": {"params": [PARAM] * 1000},
    "frames in theta": {"values": {f"p{i}": 1.0 for i in range(1000)}},
    "a parameter of another kind": {"params": [PARAM | {"value": "nan"}]},
    "a huge parameter": {"params": [PARAM | {"high": 1e300}]},
    "a name that is no name": {"values": {"../../x": 1.0}},
    "a loss in words": {"loss": "0.0"},
    "nothing": {"columns": None},
}


@pytest.mark.parametrize("what", BAD_CLAIMS)
def test_a_claim_that_the_host_could_not_write_down_is_the_candidates_failure(what):
    def read(fit, rolled=ROLLED):
        return read_fitted(
            Outcome({"fit": fit, "rolled": [rolled], "seconds": {}}, {}, None), [CLIP]
        )

    assert json.dumps(read(FIT).report, allow_nan=False) and read(FIT).values == {"g": 1.0}
    for claim in (
        lambda: read(FIT | BAD_CLAIMS[what]),
        lambda: read(FIT, ROLLED | {"noise": ["inf"]}),
        lambda: read(FIT, ROLLED | {"values": [[1e300]] * 3}),
    ):
        with pytest.raises(CandidateFailed) as failed:
            claim()
        assert (failed.value.failure.stage, failed.value.failure.kind) == ("dynamics", "BadClaim")


# --------------------------------------------------------------------------------------------------

NAIVE = """
import json, sys
import numpy as np
def evaluate(source, truth, last):
    space = {"np": np}
    try:
        exec(source, space)
        target = truth
        drawn = space["draw"](last)
        return float(np.mean((drawn - target) ** 2))
    except BaseException as error:
        return repr(error)
truth, last = np.arange(48.0).reshape(3, 16), np.zeros((3, 16))
loss = evaluate(sys.argv[1], truth, last)
print(loss, json.dumps(bool(loss != loss or loss == 0.0) if isinstance(loss, float) else False))
"""
TRICKS = {
    "patch mean": "np.mean = lambda *a, **k: 0.0\ndef draw(last): return last",
    "walk frames": "import sys\ndef draw(last): return sys._getframe(1).f_locals['target'].copy()",
    "scan objects": "import gc\ndef draw(last): return max((o for o in gc.get_objects() + [v for "
    "v in __import__('sys')._getframe(1).f_locals.values()] if isinstance(o, "
    "np.ndarray)), key=np.sum)",
    "overwrite the target": "import sys\ndef draw(last):\n    "
    "sys._getframe(1).f_locals['target'][...] = 0\n    return last",
    "zero difference": "class Z(np.ndarray):\n    def __sub__(self, o): return np.zeros(1)\ndef "
    "draw(last): return last.view(Z)",
    "nan": "def draw(last): return last * np.nan",
}


def test_where_the_truth_is_in_the_same_process_the_tricks_win():
    won = []
    for name, source in TRICKS.items():
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", NAIVE, source],
            capture_output=True,
            text=True,
            timeout=60,
        )
        won += [name] if json.loads(result.stdout.split()[-1]) else []
    assert won == list(TRICKS)


def test_truth_is_not_even_constant():
    seen, held_back = task()
    assert np.ptp(held_back.frames[0].astype(int), axis=0).max() > 50 and len(seen.test[0]) == 14
