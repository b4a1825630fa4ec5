"""What a run may be told. Frozen; every field says its unit and what 0 or None mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from agent.models.options import ModelOptions
from sandbox.contract import Limits
from tools.errors import UsageError
from tools.fitting import Budget
from tools.vision.config import VisionConfig

MODES = ("strict", "strict+", "landlock-only", "rlimits-only")


@dataclass(frozen=True)
class EvaluationConfig:
    """How one candidate is judged.

    limits: caps of each sandbox job. fit: caps of one fit. optimizer: that fits, a name of
    tools.fitting.OPTIMIZERS. validation: share of visible frames (or training videos) kept for the
    score, in (0, 1). redraw: frames drawn from measured states for the rendering loss. repeat: draw
    predictions a second time in a fresh child and fail the candidate when a byte differs. cache:
    bytes of perception results kept. vision: what answers the detections that a perception program
    declares.
    """

    limits: Limits = field(default_factory=lambda: Limits(claim=8 << 20))
    fit: Budget = field(default_factory=lambda: Budget(evaluations=20_000, seconds=30.0))
    optimizer: str = "auto"
    validation: float = 0.3
    redraw: int = 12
    repeat: bool = False
    cache: int = 512 << 20
    vision: VisionConfig = field(default_factory=VisionConfig)

    def __post_init__(self):
        if not 0.0 < self.validation < 1.0:
            raise UsageError(f"validation: expected a share in (0, 1), got {self.validation}")


@dataclass(frozen=True)
class SearchConfig:
    """How a search goes.

    budget: evaluations. threshold: score at which the search stops, above 1 = never. seed: decides
    everything random. batch: proposals made before the first of them is evaluated (part of the
    search: another batch is another search). workers: evaluations at the same time; changes the
    time a run takes, never its result. tolerance: scores closer than this are ties, which the
    smaller program wins. policy, proposer: names, see agent.core.policy and agent.proposers. hint:
    words of the user for the proposer. rules: affordance rules as Markdown
    (agent.core.affordances), "" for none. model: how a language model is asked, for the proposers
    that do. sandbox: mode, see `run-agent doctor`. lpips: folder with the weights of that metric
    (see agent.search.outcome), "" for none.
    """

    budget: int = 20
    threshold: float = 0.97
    seed: int = 0
    batch: int = 1
    workers: int = 1
    tolerance: float = 0.01
    policy: str = "tree"
    proposer: str = "offline"
    hint: str = ""
    rules: str = ""
    model: ModelOptions = field(default_factory=ModelOptions)
    sandbox: str = "strict"
    lpips: str = ""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self):
        for name in ("budget", "batch", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"{name}: expected at least 1, got {getattr(self, name)}; give --{name} a "
                    "positive number"
                )
        if self.seed < 0:
            raise UsageError(f"seed: expected a number from 0 up, got {self.seed}")
        if not self.threshold > 0:
            raise UsageError(
                "threshold: expected a score above 0 (above 1 = never stop early), got "
                f"{self.threshold}"
            )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict; inverse of :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SearchConfig:
        """Inverse of :meth:`to_json`; fields that this version does not know are ignored."""
        known = {f.name for f in fields(cls)}
        inner = dict(data["evaluation"])
        inner |= {
            "limits": Limits(**inner["limits"]),
            "fit": Budget(**inner["fit"]),
            "vision": VisionConfig(**inner.get("vision", {})),
        }
        model = ModelOptions.from_json(data.get("model", {}))
        return cls(
            **{k: v for k, v in data.items() if k in known}
            | {"evaluation": EvaluationConfig(**inner), "model": model}
        )
