"""Table 2 of the paper: CartPole, zero-shot, 10 frames seen, 10 predicted, each episode searched
alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks import published
from benchmarks.environments import load
from benchmarks.harness.case import Case, Options, Record, Workplace
from benchmarks.harness.tables import Column, Line, markdown, of_method
from benchmarks.programs import programs
from benchmarks.suites.predicting import (
    data_of,
    forecast,
    found,
    outlook_rows,
    prediction_rows,
    search_config,
    search_row,
    searched,
    still,
    straightened,
)

EPISODES = 30
COLUMNS = (
    Column("mae", "MAE", 5),
    Column("psnr", "PSNR, dB", 2),
    Column("ssim", "SSIM", 4),
    Column("gmsd", "GMSD", 4),
    Column("lpips_alex", "LPIPS Alex", 6),
    Column("lpips_vgg", "LPIPS VGG", 6),
    Column("search_score", "score", 3),
    Column("evaluations", "evaluations", 1),
)
OURS = {
    "search": "this project, search",
    "hand": "hand-written program",
    "linear": "found parts, straight lines",
    "still": "repeat the last frame",
    "renderer": "floor: true states, our renderer",
}


class CartPole:
    """Published figures beside ours on gymnasium's own 600 x 400 frames."""

    name = "cartpole"
    about = "CartPole, zero-shot, 10 seen -> 10 predicted (Table 2)"

    def phases(self, options: Options) -> Sequence[Sequence[Case]]:
        episodes = [f"{index:03d}" for index in range(options.count or EPISODES)]
        first = [
            Case(f"{method}/{episode}")
            for method in ("search", "hand", "still", "renderer")
            for episode in episodes
        ]
        return first, [
            Case(f"linear/{episode}", needs=(f"search/{episode}",)) for episode in episodes
        ]

    def run(self, case: Case, place: Workplace) -> Record:
        seed = place.options.seed + int(case.key.partition("/")[2])
        task, held_back = load("cartpole", seed=seed)
        return getattr(self, f"_{case.method}")(case, place, seed, task, held_back)

    def _search(self, case, place, seed, task, held_back) -> Record:
        result = searched(task, held_back, search_config(place.options, seed), place.run(case.key))
        rows = search_row(result, task, held_back, place.options)
        notes = {
            "status": result.status,
            "reason": result.reason,
            "lpips": result.metrics.get("notes", {}),
        }
        return Record(
            case.key, tuple(rows), notes, data_of(task, held_back), {"search": result.seconds}
        )

    def _hand(self, case, place, seed, task, held_back) -> Record:
        outlook = forecast(programs("cartpole"), task, seed)
        return Record(
            case.key,
            tuple(outlook_rows(outlook, task, held_back, place.options)),
            {"values": dict(outlook.values)},
            error=outlook.error,
        )

    def _linear(self, case, place, seed, task, held_back) -> Record:
        best = found(place.run(case.key.replace("linear", "search", 1)))
        if best is None:
            return Record(case.key, ({},), error="the search found no program")
        outlook = forecast(straightened(best[0]), task, seed)
        return Record(
            case.key,
            tuple(outlook_rows(outlook, task, held_back, place.options)),
            error=outlook.error,
        )

    def _still(self, case, place, seed, task, held_back) -> Record:
        return Record(
            case.key, tuple(prediction_rows(still(task), (), task, held_back, place.options))
        )

    def _renderer(self, case, place, seed, task, held_back) -> Record:
        """The true states drawn by the hand-written program: what states without any error are
        worth in pictures."""
        drawn = drawn_truth(held_back, task.context, task.horizon, task.shape)
        return Record(case.key, tuple(prediction_rows([drawn], (), task, held_back, place.options)))

    def report(self, records: Mapping[str, Record], options: Options) -> str:
        lines = [
            Line(row.model, row.data, row.figures, source=row.source) for row in published.CARTPOLE
        ]
        lines += [
            of_method(records, method, name, "zero-shot", COLUMNS) for method, name in OURS.items()
        ]
        note = (
            "Published rows are as printed; the paper does not state its picture size, so "
            "pictures differ in size, and its LPIPS scale is not stated. "
            f"Ours: gymnasium's own 600 x 400 frames, {options.count or EPISODES} episodes from "
            f"seed {options.seed}, each searched alone with a budget of "
            f"{options.budget} evaluations ({options.proposer} proposer); mean with a 95% "
            "interval over episodes."
        )
        return markdown("CartPole, 10 frames seen, 10 predicted", COLUMNS, lines, note)


def drawn_truth(held_back, context: int, horizon: int, shape: tuple[int, int]) -> np.ndarray:
    """(horizon, H, W, 3) the true states of the first test video through the hand-written rendering
    program."""
    from benchmarks.programs.cartpole import rendering
    from tools.types import Scene

    background = np.full((*shape, 3), 255, np.uint8)
    background[299] = 0
    states = held_back.truth["states"][0]
    return np.stack(
        [
            rendering.render(states[t], Scene(background), shape)
            for t in range(context, context + horizon)
        ]
    )
