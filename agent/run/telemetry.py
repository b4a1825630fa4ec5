"""A search as OpenTelemetry spans, over OTLP/HTTP: one trace a run, one span a candidate, one a
stage of its evaluation.

Spans are made from the trace on disk, with the times on record there; their ids follow from its
first event, so that a run which is sent twice is still one trace. Needs the extra ``otel``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from agent.plain import clean, private
from agent.run.trace import Event
from tools.errors import RunError, UsageError

_BATCH = 512  # spans a request
_TIMEOUT = 10.0  # seconds for one, retries included
_RESULT = ("status", "reason", "score", "best", "evaluations")
_STATUSES = {"ok": "OK", "failed": "ERROR"}


def send(events: Iterable[Event], endpoint: str) -> tuple[str, int]:
    """Send a search to a collector; the trace id (hex) and the number of spans.

    endpoint: the collector's address, to which "/v1/traces" is added. Raises UsageError without the
    extra, or for an address that is none, RunError when the collector cannot be reached or refuses.
    """
    if not endpoint.startswith(("http://", "https://")):
        raise UsageError(
            "--otlp", "the address of a collector, as in http://localhost:4318", endpoint
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
    except ImportError as error:
        raise UsageError(
            "--otlp", "the library opentelemetry", "none that is installed", "pip install '.[otel]'"
        ) from error
    found = spans(events)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT)
    with _silenced(logging.getLogger("opentelemetry")), ExitStack() as stack:
        stack.callback(exporter.shutdown)
        for first in range(0, len(found), _BATCH):
            if exporter.export(found[first : first + _BATCH]) is not SpanExportResult.SUCCESS:
                raise RunError(
                    "--otlp",
                    f"an OpenTelemetry collector that takes OTLP over HTTP at {endpoint}",
                    f"no success after {first} of {len(found)} spans",
                    "nothing is lost, send again",
                )
    return format(found[0].context.trace_id, "032x"), len(found)


def spans(events: Iterable[Event]) -> Sequence[Any]:
    """The finished spans (``opentelemetry.sdk.trace.ReadableSpan``) of a search, finished or not;
    the search itself comes last."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.trace import set_span_in_context

    events = list(events)
    first = events[0]
    proposed = {event["node"]: event for event in events if event["event"] == "proposed"}
    began = first.get("time", min((event["time"] for event in proposed.values()), default=0.0))
    memory = InMemorySpanExporter()
    tracer = _tracer(first, memory)
    root = tracer.start_span(
        f"search {first['task'].get('name') or 'a video'}",
        start_time=_ns(began),
        attributes=_told("proggen.config", first["config"]),
    )
    within, end = set_span_in_context(root), began
    contexts: dict[str, Any] = {}
    for event in events:
        match event["event"]:
            case "evaluated" if event["node"] in proposed:
                start = proposed[event["node"]]
                contexts[event["node"]], until = _spanned(tracer, within, contexts, start, event)
                end = max(end, until)
            case "best":
                best = {"proggen.node": event["node"], "proggen.score": event["score"]}
                root.add_event("best", best, _ns(end))
            case "finished":
                root.set_attributes(_told("proggen", {name: event.get(name) for name in _RESULT}))
                end = max(end, began + event.get("seconds", 0.0))
    root.end(_ns(end))
    return memory.get_finished_spans()


def _tracer(first: Event, memory: Any) -> Any:
    """Makes spans that end in ``memory``, with ids that follow from the run's first event."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    resource = Resource.create(
        {
            "service.name": "proggen-agent",
            "service.version": first.get("versions", {}).get("proggen-agent", "unknown"),
        }
    )
    provider = TracerProvider(
        resource=resource,
        id_generator=cast(Any, _Ids(repr(first))),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return provider.get_tracer("agent")


def _spanned(
    tracer: Any, within: Any, contexts: Mapping[str, Any], proposed: Event, evaluated: Event
) -> tuple[Any, float]:
    """The span of a candidate with one for each stage in it: (its context, when it ends)."""
    from opentelemetry.trace import Link, Status, StatusCode, set_span_in_context

    parent = proposed["move"]["parent"]
    span = tracer.start_span(
        f"candidate {evaluated['node']}",
        within,
        start_time=_ns(proposed["time"]),
        attributes=_candidate(proposed, evaluated),
        links=[Link(contexts[parent])] if parent in contexts else [],
    )
    status = StatusCode[_STATUSES.get(evaluated["status"], "UNSET")]
    span.set_status(Status(status, _failure(evaluated)))
    timings = evaluated.get("timings", {})
    at, until = proposed["time"], proposed["time"] + timings.get("total", 0.0)
    for stage, seconds in timings.items():
        if stage == "total" or at + seconds > until:
            continue  # a longer one is an earlier candidate's, used again
        inner = tracer.start_span(stage, set_span_in_context(span), start_time=_ns(at))
        inner.end(_ns(at + seconds))
        at += seconds
    span.end(_ns(until))
    return span.get_span_context(), until


def _candidate(proposed: Event, evaluated: Event) -> dict[str, Any]:
    """What a candidate is told by, tokens under OpenTelemetry's names for generative models."""
    cost, move = proposed["cost"], proposed["move"]
    said = {
        "node": proposed["node"],
        "parent": move["parent"],
        "move": move["kind"],
        "reason": move["reason"],
        "stages": proposed["stages"],
        "rationale": proposed["rationale"],
        "origin": proposed["origin"],
        "status": evaluated["status"],
        "score": evaluated["score"],
        "loss": evaluated["losses"],
        "params": (evaluated.get("fit") or {}).get("values"),
        "cost": {"calls": cost.get("calls"), "money": cost.get("money")},
    }
    tokens = {
        f"gen_ai.usage.{name}": cost[name]
        for name in ("input_tokens", "output_tokens")
        if cost.get("calls")
    }
    return _told("proggen", said) | tokens


def _failure(event: Event) -> str | None:
    failure = event["failure"]
    return (
        None
        if failure is None
        else clean(private(f"{failure['stage']}: {failure['kind']}: {failure['message']}"))
    )


def _told(name: str, value: Any) -> dict[str, Any]:
    """Flat attributes of nested plain data; what is None is left out."""
    if isinstance(value, Mapping):
        return {
            key: one
            for part, inner in value.items()
            for key, one in _told(f"{name}.{part}", inner).items()
        }
    if value is None:
        return {}
    if isinstance(value, (list, tuple)):
        return {name: [clean(private(str(item))) for item in value]}
    return {name: clean(private(value)) if isinstance(value, str) else value}


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


class _Ids:
    """Ids that follow from a seed (``opentelemetry.sdk.trace.id_generator.IdGenerator``)."""

    def __init__(self, seed: str):
        self._seed, self._count = seed, 0

    def generate_trace_id(self) -> int:
        return self._number(16)

    def generate_span_id(self) -> int:
        self._count += 1
        return self._number(8)

    def is_trace_id_random(self) -> bool:
        return True

    def _number(self, size: int) -> int:
        return int.from_bytes(
            hashlib.sha256(f"{size}:{self._count}:{self._seed}".encode()).digest()[:size]
        )


@contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    """The library tells its log what we raise."""
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
