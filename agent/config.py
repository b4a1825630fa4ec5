"""What a run may be told. Frozen; every field says its unit and what 0 or None mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from agent.models.options import LONGEST_ANSWER, ModelOptions
from agent.models.prices import price_of
from agent.plain import private
from sandbox.contract import Limits
from sandbox.lockdown import SAFE
from tools import claims
from tools.errors import UsageError
from tools.fitting import Budget
from tools.vision.config import VisionConfig

MODES = ("strict", "strict+", "landlock-only", "rlimits-only")
VISION_FOLDERS = ("weights", "paths", "xmem_root", "cache", "unpinned")
"""Fields of VisionConfig that name places on a disk, and whether what lies there is trusted."""
LONGEST_WORDS = 20_000
"""Characters of rules or of a hint that a run's folder may hold."""
MOST_AT_ONCE = 64
"""Proposals a round that a run's folder may ask for."""
C = TypeVar("C", Limits, Budget)


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
            raise UsageError("validation", "a share in (0, 1)", str(self.validation))


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
                    str(name),
                    "at least 1",
                    str(getattr(self, name)),
                    f"give --{name} a positive number",
                )
        if self.seed < 0:
            raise UsageError("seed", "a number from 0 up", str(self.seed))
        if not self.threshold > 0:
            raise UsageError(
                "threshold", "a score above 0 (above 1 = never stop early)", str(self.threshold)
            )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready dict; inverse of :meth:`from_json`."""
        return asdict(self)

    def portable(self) -> dict[str, Any]:
        """:meth:`to_json` without what is only this machine's: folders of weights, credentials in
        an address, places named in words. Whoever goes on with the run says these anew
        (:class:`Grants`)."""
        nowhere = {name: getattr(VisionConfig(), name) for name in VISION_FOLDERS}
        vision = replace(self.evaluation.vision, **nowhere)
        evaluation = replace(self.evaluation, vision=vision)
        named = ("base_url", "replay", "memory")
        addresses = {name: private(getattr(self.model, name)) for name in named}
        model = replace(self.model, **addresses)
        hint, rules = private(self.hint), private(self.rules)
        return replace(
            self, lpips="", evaluation=evaluation, model=model, hint=hint, rules=rules
        ).to_json()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SearchConfig:
        """Inverse of :meth:`to_json`; fields that this version does not know are ignored. Raises
        ContractError, UsageError."""
        return claims.read(cls, data, "config")


# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grants:
    """What a run's folder may not decide, because somebody else may have written it; whoever goes
    on with the run, or uses its programs, says it anew.

    sandbox: mode where it is an unsafe one, or the run's was. base_url: of the model's endpoint,
    None where nothing was said. max_cost, max_tokens: caps in place of the run's. price: of the
    model, in place of the table's; prices: of single ones, as (name, input, output). model,
    timeout: another model than the run's, and seconds for one answer; "" and None where the run's
    will do. replay: the run to repeat. lpips: folder of that metric's weights. vision: its folders.
    workers: None for at most four. most: caps of one evaluation.
    """

    sandbox: str = "strict"
    base_url: str | None = None
    max_cost: float | None = None
    max_tokens: int | None = None
    price: tuple[float, float] | None = None
    prices: tuple[tuple[str, float, float], ...] = ()
    model: str = ""
    timeout: float | None = None
    replay: str = ""
    lpips: str = ""
    vision: VisionConfig = field(default_factory=VisionConfig)
    workers: int | None = None
    most: EvaluationConfig = field(default_factory=EvaluationConfig)


def granted(said: SearchConfig, grants: Grants) -> tuple[SearchConfig, tuple[str, ...]]:
    """The configuration of a run on disk as it may be used, and what differs, in words. Raises
    UsageError where the run needs what was not granted."""
    if max(len(said.rules), len(said.hint)) > LONGEST_WORDS:
        raise UsageError("rules, hint", f"at most {LONGEST_WORDS} characters", "more")
    given = replace(
        said,
        workers=grants.workers or min(said.workers, 4),
        batch=min(said.batch, MOST_AT_ONCE),
        sandbox=said.sandbox if {said.sandbox, grants.sandbox} <= {*SAFE} else grants.sandbox,
        lpips=grants.lpips,
        model=_granted_model(said, grants),
        evaluation=granted_evaluation(said.evaluation, grants),
    )
    before, after = _flat(said.to_json()), _flat(given.to_json())
    quiet = ("workers",) if _asks(said) or said.proposer == "replay" else ("workers", "model.")
    told = tuple(
        f"{name}: the run says {before.get(name)!r}, used is {after.get(name)!r}"[:300]
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
        and (before.get(name) or name == "model.base_url")
        and not name.startswith(quiet)
    )
    return given, told


def granted_evaluation(said: EvaluationConfig, grants: Grants) -> EvaluationConfig:
    """How candidates are judged, with no cap above ``grants.most`` and no folder of the run's."""
    folders = {name: getattr(grants.vision, name) for name in VISION_FOLDERS}
    return replace(
        said,
        limits=_at_most(said.limits, grants.most.limits),
        fit=_at_most(said.fit, grants.most.fit),
        redraw=max(0, min(said.redraw, grants.most.redraw)),
        cache=max(0, min(said.cache, grants.most.cache)),
        vision=replace(said.vision, **folders),
    )


def _at_most(said: C, most: C) -> C:
    """``said`` with every number from 1 up to that in ``most``."""
    caps = {one.name: getattr(most, one.name) for one in fields(most)}
    return replace(said, **{name: max(1, min(getattr(said, name), c)) for name, c in caps.items()})


def _granted_model(said: SearchConfig, grants: Grants) -> ModelOptions:
    model, usual = said.model, ModelOptions()
    name = grants.model or model.name
    table = price_of(name)
    replays = said.proposer == "replay"
    if _asks(said) and grants.base_url is None and model.base_url:
        raise UsageError(
            "model",
            "--base-url: a run's folder may not choose where your key and its prompts go",
            f"only the run's own {model.base_url}",
            "add --base-url URL, this one or another",
        )
    if replays and not grants.replay:
        raise UsageError(
            "replay",
            "--from: a run's folder may not choose what else is read",
            f"only the run's own {model.replay}",
            "add --from RUN",
        )
    return replace(
        model,
        name=name,
        base_url=(grants.base_url or "") if _asks(said) else "",
        max_cost=model.max_cost if grants.max_cost is None else grants.max_cost,
        max_tokens=model.max_tokens if grants.max_tokens is None else grants.max_tokens,
        prices=grants.prices,
        others=() if grants.model else model.others[:8],
        price=grants.price or (None if table is None else (table.input, table.output)),
        max_output=max(1, min(model.max_output, LONGEST_ANSWER)),
        timeout=grants.timeout or max(1.0, min(model.timeout, usual.timeout)),
        attempts=max(1, min(model.attempts, usual.attempts)),
        pause=max(0.0, min(model.pause, usual.pause)),
        replay=grants.replay if replays else "",
        memory="",  # what it remembered is in its trace
    )


def _asks(said: SearchConfig) -> bool:
    return said.proposer in ("llm", "both")


def _flat(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """``{"model.base_url": ...}`` of nested settings."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping) and name != "paths":
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = value
    return flat
