"""What waiting for a model costs, measured: the same search against a server on loopback whose
answers take their time, one question at a time and several in flight; and the grammar beside a
model that is slow.

    python -m benchmarks.waiting --calls 8 --seconds 20 --in-flight 4
    python -m benchmarks.waiting --both --seconds 20

The first prints the seconds of both searches and their ratio. The second runs `offline` and `both`
side by side, so that other work on the machine meets both alike; it prints, after each evaluation,
the best score so far of each at the same elapsed time, and fails where `both` is ever worse by more
than a tie, as long as both have budget.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agent import proposers
from agent.config import SearchConfig
from agent.models.options import ModelOptions
from agent.run.store import Store
from agent.search import steps as search
from agent.search.outcome import RunResult
from benchmarks.environments import load

TIE = 0.01
PROGRAMS = {
    "perception": 'def perceive(frames, tools):\n    raise ValueError("{mark}")\n',
    "dynamics": "PARAMS = ()\nLATENTS = ()\n\n\ndef initial(states, params, dt):\n    return {{}}\n"
    "\n\ndef step(state, params, action, dt):\n    return state\n",
    "rendering": "def render(state, scene, shape):\n    return scene.background\n",
}
"""An answer whose programs fail at once: what is measured is the waiting."""


class _Handler(BaseHTTPRequestHandler):
    seconds = 0.0

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self._send({"object": "list", "data": []})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.seconds)
        files = {k: v.format(mark=request.get("seed", 0)) for k, v in PROGRAMS.items()}
        message = {"role": "assistant", "content": json.dumps({"rationale": "slow", **files})}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 6000, "completion_tokens": 300, "total_tokens": 6300}
        about = {"id": "1", "object": "chat.completion", "created": 1, "model": "slow"}
        self._send({**about, "choices": [choice], "usage": usage})

    def _send(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            return


@contextmanager
def slow_server(seconds: float) -> Iterator[str]:
    """The base URL of a server whose answers take so long."""
    handler = type("Slow", (_Handler,), {"seconds": seconds})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def searched(
    env: str, config: SearchConfig, folder: Path
) -> tuple[RunResult, list[tuple[float, float]]]:
    """The result, and (seconds, best score so far) of every evaluation."""
    task, held_back = load(env, seed=0)
    proposer = proposers.make(config, Store(folder / "store"))
    began, best, curve = time.monotonic(), 0.0, []

    def watch(event: Any) -> None:
        nonlocal best
        if event["event"] == "evaluated":
            best = max(best, event["score"])
            curve.append((time.monotonic() - began, best))

    result = search.run(task, held_back, config, proposer=proposer, out=folder, on_event=watch)
    return result, curve


def in_turn_and_in_flight(env: str, calls: int, seconds: float, in_flight: int) -> int:
    """Print both times; 0 when several in flight take at most a third of the serial time."""
    took = {}
    with tempfile.TemporaryDirectory() as place, slow_server(seconds) as url:
        for many in (1, in_flight):
            model = ModelOptions("slow", url, in_flight=many, check=False)
            config = SearchConfig(calls, 2.0, policy="best-of-n", proposer="llm", model=model)
            result, _ = searched(env, config, Path(place) / str(many))
            took[many] = result.seconds
            print(f"{many} in flight: {result.evaluations} calls, {took[many]:.1f} s", flush=True)
    ratio = took[in_flight] / took[1]
    print(f"{in_flight} in flight take {ratio:.2f} of the serial time")
    return 0 if ratio <= 1 / 3 or in_flight < 4 else 1


def beside_the_grammar(env: str, budget: int, seconds: float) -> int:
    """Print both curves; 0 when `both` is nowhere worse than `offline` by more than a tie."""
    alone = SearchConfig(budget, 2.0, workers=2)
    with tempfile.TemporaryDirectory() as place, slow_server(seconds) as url:
        model = ModelOptions("slow", url, in_flight=2, check=False)
        both = replace(alone, budget=budget + 8, proposer="both", model=model)
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            folders = [Path(place) / name for name in ("offline", "both")]
            curves = list(pool.map(_curve, (env, env), (alone, both), folders))
    worst = 0.0
    for at, score in curves[0]:
        mine = max((best for when, best in curves[1] if when <= at), default=0.0)
        worst = max(worst, score - mine)
        print(f"{at:6.1f} s: offline {score:.3f}, both {mine:.3f}")
    print(
        f"both is worse by at most {worst:.3f}; it comes to offline's scores at most "
        f"{_late(*curves):.1f} s later, and offline to its at most {_late(*reversed(curves)):.1f} s"
    )
    return 0 if worst <= TIE else 1


_Curve = list[tuple[float, float]]


def _late(one: _Curve, other: _Curve) -> float:
    """Seconds by which the other comes later to one's scores, at most; to those that it reaches."""
    most = max(best for _, best in other) + TIE
    return max(
        min(when for when, best in other if best >= score - TIE) - at
        for at, score in one
        if score <= most
    )


def _curve(env: str, config: SearchConfig, folder: Path) -> _Curve:
    return searched(env, config, folder)[1]


def main(arguments: list[str] | None = None) -> int:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="gallery:bouncing-ball")
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--both", action="store_true")
    parser.add_argument("--budget", type=int, default=8)
    said = parser.parse_args(arguments)
    if said.both:
        return beside_the_grammar(said.env, said.budget, said.seconds)
    return in_turn_and_in_flight(said.env, said.calls, said.seconds, said.in_flight)


if __name__ == "__main__":
    raise SystemExit(main())
