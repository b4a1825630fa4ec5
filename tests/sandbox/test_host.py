"""The interface: what goes in comes out, limits hold, and the three kinds of failure stay apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sandbox import ArraySpec, Job, Limits, Sandbox, SandboxError
from sandbox.awake import BEAT, AwakeClock
from tests.sandbox.conftest import Caller, shared_and_writable
from tools.types import Programs

ECHO = """
import numpy as np
def f(inputs, payload, outputs):
    for name, array in inputs.items():
        outputs[name][...] = array
    return {name: [list(array.shape), array.dtype.str, array.flags.writeable] for name, array in inputs.items()}
"""


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float64).reshape(3, 4),
        np.zeros((0, 3), np.float32),
        np.array(7, np.int16),
        np.array([True, False]),
        np.array([1 + 2j]),
        np.arange(64, dtype=np.uint8)[::2],
        np.full((2, 3, 4, 5), np.nan),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_arrays_cross_both_ways_unchanged(call, array):
    shared = call.box.share(array)
    specs = {name: ArraySpec(array.shape, array.dtype.str) for name in ("plain", "shared")}
    outcome = call(ECHO, {"plain": array, "shared": shared}, outputs=specs)
    assert outcome.failure is None
    for name in specs:
        np.testing.assert_array_equal(outcome.arrays[name], array)
        assert outcome.claim["value"][name] == [list(array.shape), array.dtype.str, False]


def test_outcomes_keep_the_order_of_the_jobs_and_run_in_parallel(box):
    source = (
        "import time\ndef f(i, p, o):\n    begun = time.monotonic(); time.sleep(p['wait']); "
        "return [p['wait'], begun, time.monotonic()]"
    )
    waits = [0.3, 0.0, 0.3, 0.1, 0.3, 0.3]
    box.map([Job("idle", None)] * 2)  # both servers have started
    outcomes = box.map(
        Job("call", Programs("", source, ""), payload={"function": "f", "wait": wait})
        for wait in waits
    )
    values = [outcome.claim["value"] for outcome in outcomes]
    assert [value[0] for value in values] == waits
    assert any(
        first[1] < second[1] < first[2] for first in values for second in values
    )  # one began before another had ended


def test_any_thread_may_run_jobs(call):
    results = {}

    def work(number):
        results[number] = call(
            "def f(i, p, o):\n    return p['n'] ** 2", payload={"n": number}
        ).claim["value"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: number**2 for number in range(8)}


def test_every_job_gets_a_fresh_process_and_zeroed_outputs(call):
    source = (
        "import os\nseen = []\ndef f(i, p, o):\n    seen.append(1); old = "
        "float(o['a'].sum()); o['a'][...] = 5; return [os.getpid(), len(seen), old]"
    )
    values = [
        call(source, outputs={"a": ArraySpec((1000,), "float64")}).claim["value"] for _ in range(4)
    ]
    assert len({value[0] for value in values}) == 4
    assert all(value[1:] == [1, 0.0] for value in values)


def test_outcomes_that_are_kept_hold_no_descriptor(call):
    def draw(n):
        return call(
            "def f(i, p, o):\n    o['a'][...] = p['n']; return 0",
            payload={"n": n},
            outputs={"a": ArraySpec((70_000 + n,), "float64")},
        )

    assert draw(0).failure is None
    before = len(os.listdir("/proc/self/fd"))
    kept = [draw(n) for n in range(10)]
    assert len(os.listdir("/proc/self/fd")) == before
    rows = [outcome.arrays["a"][n:] for n, outcome in enumerate(kept)]
    del kept
    assert all((row == n).all() and len(row) == 70_000 for n, row in enumerate(rows))


def test_global_random_numbers_are_the_same_in_every_child(call):
    source = (
        "import random, numpy as np\ndef f(i, p, o):\n    return [random.random(), "
        "float(np.random.rand()), hash('word')]"
    )
    assert call(source).claim == call(source).claim


def test_a_child_holds_no_scorer_no_search_and_no_learned_models(call):
    loaded = call("import sys\ndef f(*_):\n    return sorted(sys.modules)").claim["value"]
    roots = {name.split(".")[0] for name in loaded}
    assert {"numpy", "scipy", "cv2", "pymunk", "tools"} <= roots
    assert not roots & {
        "torch",
        "langgraph",
        "langchain_openai",
        "openai",
        "gymnasium",
        "agent",
        "benchmarks",
        "pytest",
        "av",
        "skimage",
    }
    assert not [
        name
        for name in loaded
        if name.startswith(("tools.metrics.", "tools.vision", "tools.media"))
    ]


def test_a_server_has_no_memory_that_all_its_children_could_write(box):
    assert box.mode and not [
        shared_and_writable(pid) for pid in box.pids() if shared_and_writable(pid)
    ]


def test_log_and_measurements_come_with_the_outcome(call):
    outcome = call(
        "import sys\ndef f(i, p, o):\n    print('out'); print('err', file=sys.stderr); s = "
        "sum(range(3_000_000)); return 1"
    )
    assert outcome.log == "out\nerr\n"
    assert 0 < outcome.cpu < 5 and outcome.wall > 0 and outcome.peak > 10 << 20


def test_a_traceback_shows_the_lines_of_the_program_and_no_folder_of_this_machine(call):
    failure = call(
        "import numpy as np\n\n\ndef f(i, p, o):\n    return np.linalg.inv(np.zeros((2, 3)))  # "
        "not square\n"
    ).failure
    assert (failure.stage, failure.kind) == ("dynamics", "LinAlgError")
    assert (
        'File "dynamics.py", line 5, in f' in failure.traceback
        and "# not square" in failure.traceback
    )
    assert (
        str(Path(np.__file__).parents[1]) not in failure.traceback
        and "sandbox/" not in failure.traceback
    )


@pytest.mark.parametrize("stage", ["perception", "dynamics", "rendering"])
def test_a_failure_names_the_program(box, stage):
    sources = {"perception": "", "dynamics": "", "rendering": ""}
    for text, kind in (
        ("def f(:", "SyntaxError"),
        ("1/0", "ZeroDivisionError"),
        ("x = 1", "MissingFunction"),
        ("def f(i, p, o):\n    [][0]", "IndexError"),
    ):
        job = Job(
            "call", Programs(**(sources | {stage: text})), payload={"stage": stage, "function": "f"}
        )
        failure = box.run(job).failure
        assert (failure.stage, failure.kind) == (stage, kind)
    assert (
        "it defines no functions"
        in box.run(
            Job("call", Programs(**sources), payload={"stage": stage, "function": "f"})
        ).failure.message
    )


def test_an_error_that_is_named_like_a_limit_keeps_its_words(call):
    failure = call(
        "class RateLimit(Exception): pass\ndef f(i, p, o):\n    raise RateLimit('3 a second')"
    ).failure
    assert (failure.stage, failure.kind, failure.message) == ("dynamics", "RateLimit", "3 a second")


def test_a_program_that_puts_something_else_in_the_place_of_standard_output_has_its_answer(call):
    assert call("import sys\ndef f(i, p, o):\n    sys.stdout = None; return 1").claim == {
        "value": 1
    }


def test_text_of_a_claim_is_clean(call):
    value = call(
        "def f(i, p, o):\n    return {'a\\x1b[2J': ['\\u202e\\ud800 µ°🎾\\n\\t', '\\\\u001b', 1.5, "
        "None]}"
    ).claim["value"]
    assert value == {"a\ufffd[2J": ["\ufffd\ufffd µ°🎾\n\t", "\\u001b", 1.5, None]}


LIMITS = {
    "WallLimit": ("import time; time.sleep(60)", Limits(wall=0.3)),
    "CpuLimit": ("while True: pass", Limits(wall=60, cpu=1)),
    "MemoryLimit": ("return len(bytearray(200 << 20))", Limits(memory=64 << 20)),
    "OutputLimit": ("return 'x' * 5000", Limits(claim=4000)),
    "Crash": ("import ctypes; ctypes.string_at(1)", Limits()),
    "Exit": ("import os; os._exit(3)", Limits()),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_a_limit_is_the_candidates_failure_with_its_stage(call, kind):
    body, limits = LIMITS[kind]
    begun = time.monotonic()
    failure = call(f"def f(i, p, o):\n    {body}\n", limits=limits).failure
    assert (failure.stage, failure.kind) == ("dynamics", kind)
    assert time.monotonic() - begun < 50


def test_a_loop_that_is_cut_off_shows_where_it_was(call):
    failure = call(
        "def f(i, p, o):\n    x = 0\n    while True:\n        x += 1  # here\n",
        limits=Limits(wall=0.4),
    ).failure
    assert "while True" in failure.traceback or "# here" in failure.traceback


def test_output_is_capped_but_not_fatal(call):
    outcome = call("def f(i, p, o):\n    print('y' * 200_000); return 1", limits=Limits(log=1000))
    assert outcome.failure is None and len(outcome.log) == 1000


BAD_CALLS = {
    "routine": (lambda box: box.run(Job("nonsense", None)), "Job.routine: expected one of call"),
    "payload": (lambda box: box.run(Job("idle", None, payload={"a": np.ones(3)})), "Job.payload"),
    "payload nan": (
        lambda box: box.run(Job("idle", None, payload={"a": float("nan")})),
        "Job.payload",
    ),
    "input": (
        lambda box: box.run(Job("idle", None, {"a": np.array(["x"])})),
        "inputs['a']: expected an array of numbers",
    ),
    "object input": (lambda box: box.share(np.array([object()])), "expected an array of numbers"),
    "output": (
        lambda box: box.run(Job("idle", None, outputs={"a": ArraySpec((-1,))})),
        "outputs['a']",
    ),
    "output dtype": (
        lambda box: box.run(Job("idle", None, outputs={"a": ArraySpec((1,), "object")})),
        "outputs['a']",
    ),
    "output size": (
        lambda box: box.run(Job("idle", None, outputs={"a": ArraySpec((1 << 40,))})),
        "outputs: expected at most",
    ),
    "limits": (lambda box: box.run(Job("idle", None, limits=Limits(wall=0))), "Limits.wall"),
    "workers": (lambda box: Sandbox(workers=0), "workers"),
    "mode": (lambda box: Sandbox(mode="strong"), "mode: expected one of strict+, strict"),
    "profile": (lambda box: Sandbox(profile="fast"), "profile: expected one of plain, threads"),
}


@pytest.mark.parametrize("what", BAD_CALLS)
def test_a_wrong_call_raises_value_error(box, what):
    act, message = BAD_CALLS[what]
    with pytest.raises(ValueError) as error:
        act(box)
    assert message in str(error.value)


def test_a_closed_sandbox_says_so():
    with Sandbox() as box:
        pass
    with pytest.raises(ValueError, match="closed"):
        box.run(Job("idle", None))


@pytest.mark.parametrize("mode", ["strict", "strict+"])
def test_a_lost_server_costs_one_retry_and_is_not_the_candidates_fault(mode):
    with Sandbox(mode=mode) as box:
        first = box.pids()[0]
        killer = threading.Timer(0.4, os.kill, (_after_start(box), signal.SIGKILL))
        killer.start()
        outcome = Caller(box)("import time\ndef f(i, p, o):\n    time.sleep(0.8); return 'done'")
        assert outcome.failure is None and outcome.claim["value"] == "done"
        assert box.pids()[0] != first


def _after_start(box: Sandbox) -> int:
    assert box.mode
    return box.pids()[0]


def test_a_server_lost_twice_is_a_sandbox_error():
    with Sandbox() as box:
        done = threading.Event()

        def kill_all():
            while not done.wait(0.3):
                os.kill(box.pids()[0], signal.SIGKILL)

        assert box.mode
        threading.Thread(target=kill_all, daemon=True).start()
        with pytest.raises(SandboxError, match="failed twice"):
            Caller(box)("import time\ndef f(i, p, o):\n    time.sleep(30)")
        done.set()
        assert Caller(box)("def f(i, p, o):\n    return 1").claim == {"value": 1}


def test_a_spare_that_was_lost_is_not_the_candidates_fault():
    with Sandbox(spares=1) as box:
        assert box.run(Job("idle", None)).failure is None
        time.sleep(0.3)
        for pid in _children(box.pids()[0]):
            os.kill(pid, signal.SIGKILL)
        assert box.run(Job("idle", None)).failure is None


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_closing_ends_running_jobs_and_processes():
    box = Sandbox(workers=2)
    assert box.mode
    pids = box.pids() + [child for pid in box.pids() for child in _children(pid)]
    threading.Timer(0.3, box.close).start()
    with pytest.raises(SandboxError, match="closed"):
        Caller(box)("import time\ndef f(i, p, o):\n    time.sleep(30)")
    box.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_weak_mode_is_named():
    with Sandbox(mode="landlock-only") as box:
        assert box.mode == "landlock-only"


def test_an_interrupted_caller_leaves_no_child_behind(tmp_path):
    script = (
        "import signal; from sandbox import *; from tools.types import Programs\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start jobs in the "
        "background without it\n"
        "with Sandbox(spares=0) as box:\n"
        "    print(box.mode, flush=True)\n"
        "    try: box.run(Job('call', Programs('', 'import time\\ndef f(*_): time.sleep(60)', "
        "''), payload={'function': 'f'}))\n"
        "    except KeyboardInterrupt: print(box.run(Job('idle', None)).failure)\n"
    )
    process = _host(script, tmp_path)
    assert process.stdout.readline() == "strict\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.stdout.read() == "None\n"
    assert process.wait(10) == 0


def _host(script: str, cwd: Path) -> subprocess.Popen:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": root},
    )


@pytest.mark.parametrize("mode", ["strict", "strict+"])
def test_when_the_host_is_killed_everything_is_gone_within_a_second(mode, tmp_path):
    script = (
        "from sandbox import *; from tools.types import Programs\n"
        f"box = Sandbox(2, mode='{mode}')\n"
        "print(box.mode, *box.pids(), flush=True)\n"
        "source = 'import time\\ndef f(*_):\\n    while True: time.sleep(1)'\n"
        "job = Job('call', Programs('', source, ''), payload={'function': 'f'})\n"
        "box.map([job, job])\n"
    )
    process = _host(script, tmp_path)
    _, *servers = process.stdout.readline().split()
    family: list[int] = []
    deadline = time.monotonic() + 20
    while len(family) < 4 and time.monotonic() < deadline:
        time.sleep(0.3)
        family = [int(pid) for pid in servers]
        for pid in family:
            family += _children(pid)
    assert len(family) >= 4
    _kill_and_see_all_gone(process, family)


@pytest.mark.parametrize(
    "mode, start", [("strict", "fork"), ("strict+", "fork"), ("strict", "spawn")]
)
def test_when_the_host_is_killed_servers_that_are_starting_are_gone_too(mode, start, tmp_path):
    script = (
        f"from sandbox import *\nimport time\nbox = Sandbox(2, mode='{mode}', "
        f"start='{start}')\nprint(*box.pids(), flush=True)\ntime.sleep(60)"
    )
    process = _host(script, tmp_path)
    family = [int(pid) for pid in process.stdout.readline().split()]
    time.sleep(0.3)
    for pid in family:
        family += _children(pid)
    _kill_and_see_all_gone(process, family)


def _kill_and_see_all_gone(host: subprocess.Popen, family: list[int]) -> None:
    host.kill()
    host.wait()
    deadline = time.monotonic() + 30.0
    while any(_alive(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in family if _alive(pid)]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_an_installed_copy_works_from_anywhere(tmp_path):
    import shutil

    root = Path(__file__).resolve().parents[2]
    for package in ("sandbox", "tools"):
        shutil.copytree(
            root / package,
            tmp_path / "site" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd" / "numpy.py").write_text(
        "raise SystemExit('a module of the current folder was imported')"
    )
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import sandbox; "
        "print(sandbox.__file__)\n"
        "with sandbox.Sandbox() as box: print(box.run(sandbox.Job('idle', None)).failure)\n"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path / "cwd",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.split() == [str(tmp_path / "site/sandbox/__init__.py"), "None"], (
        result.stderr
    )


def test_a_clock_for_limits_stands_still_while_nobody_runs():
    times = iter([10.0, 10.5, 11.5, 900.0, 900.25])
    clock = AwakeClock(lambda: next(times))
    assert [clock.now(), clock.now()] == [0.5, 1.5]
    assert clock.now() == 1.5 + 2 * BEAT  # stopped for a quarter of an hour
    assert clock.wait(4.0) == pytest.approx(251.0)


def test_a_job_that_was_stopped_with_its_server_is_not_too_slow():
    code = "import time\ndef f(i, p, o):\n    time.sleep(1.0)\n    return 1"
    with Sandbox(spares=0) as box, ThreadPoolExecutor(1) as aside:
        server = _after_start(box)
        limits = Limits(wall=3.0)
        answer = aside.submit(lambda: Caller(box)(code, limits=limits))
        while not (below := _children(server)):
            time.sleep(0.02)
        time.sleep(0.3)
        for pid in (server, *below):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3.2)
        for pid in (*below, server):
            os.kill(pid, signal.SIGCONT)
        outcome = answer.result()
    assert outcome.failure is None and outcome.claim["value"] == 1
