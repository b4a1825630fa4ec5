"""Spans arrive at a real collector's door, over HTTP, as the protocol says."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from agent.cli import main
from tests.browser.conftest import run  # noqa: F401  a finished search


@pytest.fixture
def collector():
    """(address, spans received so far)."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    received = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            message = ExportTraceServiceRequest.FromString(body)
            received.extend(
                (self.path, span)
                for resource in message.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()


def attributes(span):
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes
    }


def test_a_search_is_one_trace_with_a_span_a_candidate(run, collector, capsys):  # noqa: F811
    address, received = collector
    assert main(["trace", str(run), "--otlp", address]) == 0
    assert f"sent {len(received)} spans" in capsys.readouterr().out
    assert {path for path, _ in received} == {"/v1/traces"}
    spans = {span.name: span for _, span in received}
    (root,) = [span for span in spans.values() if not span.parent_span_id]
    events = [json.loads(line) for line in (run / "trace.jsonl").read_text().splitlines()]
    judged = [event for event in events if event["event"] == "evaluated"]
    candidates = {event["node"]: spans[f"candidate {event['node']}"] for event in judged}
    for event in judged:
        span = candidates[event["node"]]
        told = attributes(span)
        assert span.parent_span_id == root.span_id and span.trace_id == root.trace_id
        assert (
            root.start_time_unix_nano
            <= span.start_time_unix_nano
            <= span.end_time_unix_nano
            <= root.end_time_unix_nano
        )
        assert told["proggen.score"] == event["score"] and told["gen_ai.usage.input_tokens"] == 100
        assert (span.status.code == 2) == (event["status"] == "failed")
        if told.get("proggen.parent"):
            assert [link.span_id for link in span.links] == [
                candidates[told["proggen.parent"]].span_id
            ]
    inner = [span for _, span in received if span.name == "fit"]
    assert inner and {span.parent_span_id for span in inner} <= {
        span.span_id for span in candidates.values()
    }
    before = [span.span_id for _, span in received]
    main(["trace", str(run), "--otlp", address])
    assert [span.span_id for _, span in received] == before * 2


def test_an_address_where_nobody_listens_is_said_in_one_line(run, capsys):  # noqa: F811
    assert main(["trace", str(run), "--otlp", "http://127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert (
        error.count("\n") == 1
        and "expected an OpenTelemetry collector" in error
        and "send again" in error
    )
    assert main(["trace", str(run), "--otlp", "nowhere"]) == 2
