"""What clips leave open, as a sandbox job (``sandbox.stages.doubt``), its claim bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.core.split import Trial
from agent.evaluation.jobs import Perceived, plain_steps, read_claim
from sandbox import tracks
from sandbox.contract import ArraySpec, Job, Limits, Outcome
from tools.fitting import Combination, Determined
from tools.types import MAX_PARAMS, ContractError, Programs, States, Video

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
"""Of forecast bands: 95 %, 68 %, the middle."""


DRAWN = 20
"""Draws that are drawn as frames, where any are."""
NOTHING_DRAWN = np.zeros((0, 0, 1, 1, 3), np.uint8)


@dataclass(frozen=True)
class Foretold:
    """An experiment and what it would leave. word: what to do. errors: parameter -> standard error
    foretold; simulated: by fits to simulated clips, empty where none was simulated."""

    word: str
    frames: int
    dt: float
    errors: Mapping[str, float]
    simulated: Mapping[str, float]


@dataclass(frozen=True)
class Claim:
    """What a child says. bands: (T + ahead) states per QUANTILES. worth: share that the draws are
    worth. noise: of one measurement by column. outlooks: the clip at hand first."""

    determined: tuple[Determined, ...]
    combinations: tuple[Combination, ...]
    bands: tuple[States, ...]
    worth: float
    noise: Mapping[str, float]
    outlooks: tuple[Foretold, ...]


@dataclass(frozen=True)
class Doubts(Claim):
    """A claim that was checked. drawn: (DRAWN, n, H, W, 3) uint8 frames at these ``moments``, none
    where none were wanted."""

    drawn: np.ndarray = field(default_factory=lambda: NOTHING_DRAWN)
    moments: tuple[int, ...] = ()


@dataclass(frozen=True)
class Question:
    """values: θ to begin from. trials: simulated clips that check an experiment, None for none
    wanted. moments: indices of frames, from the first one seen on, that are to be drawn as DRAWN
    draws have them."""

    values: Mapping[str, float]
    seed: int = 0
    trials: int | None = None
    moments: tuple[int, ...] = ()


def doubt_job(
    programs: Programs,
    trial: Trial,
    others: Sequence[Video],
    perceived: Sequence[Perceived],
    question: Question,
    limits: Limits,
) -> Job:
    """Ask about ``trial`` and clips seen beside it; perceived: of the trial's, then of these."""
    actions = trial.all_actions
    clips = [trial.seen, *others]
    told, inputs = tracks.packed([None, *(one.states for one in perceived[1:])])
    payload = told | {
        "sizes": [len(perceived[0].parcel), *(0 for _ in others)],
        "cuts": [len(clip) for clip in clips],
        "dt": [plain_steps(trial.all_steps), *(plain_steps(clip.steps) for clip in others)],
        "actions": [
            None if actions is None else actions.tolist(),
            *(None if clip.actions is None else clip.actions.tolist() for clip in others),
        ],
        "seed": question.seed,
        "values": dict(question.values),
        "ahead": trial.horizon,
        "quantiles": list(QUANTILES),
        "trials": question.trials,
        "moments": list(question.moments),
    }
    room = {"drawn": ArraySpec((DRAWN, len(question.moments), *trial.seen.shape, 3))}
    return Job(
        "doubt",
        Programs("", programs.dynamics, programs.rendering),
        inputs | {"parcels": perceived[0].parcel},
        payload,
        room if question.moments else {},
        limits,
    )


def read_doubts(outcome: Outcome, trial: Trial, question: Question) -> Doubts:
    """Check the claim. Raises CandidateFailed."""

    def read(claim: Claim) -> Doubts:
        if len(claim.bands) != len(QUANTILES):
            raise ContractError("doubt", f"{len(QUANTILES)} bands", str(len(claim.bands)))
        frames = len(trial.seen) + trial.horizon
        if any(len(band) != frames for band in claim.bands):
            raise ContractError("doubt", f"bands of {frames} frames", "others")
        if len(claim.determined) > MAX_PARAMS or len(claim.outlooks) > 16:
            raise ContractError("doubt", f"at most {MAX_PARAMS} parameters", "more")
        parts = (
            claim.determined,
            claim.combinations,
            claim.bands,
            claim.worth,
            claim.noise,
            claim.outlooks,
        )
        return Doubts(*parts, outcome.arrays.get("drawn", NOTHING_DRAWN), question.moments)

    return read_claim(outcome, "dynamics", Claim, read)
