"""A real HTTP server on loopback that speaks the OpenAI chat protocol, with a script for answers.

It checks what it is sent (JSON, messages, images that decode as PNG) and answers 400 when a request
breaks the protocol, as a real endpoint does.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

KEY = "sk-test-do-not-leak-4f1c9a"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. text, tool: the message's content, or a tool call's arguments. status: HTTP.
    delay: seconds before the headers. trickle: seconds between the pieces of a stream, or between
    the bytes of a body. raw: this body instead of the protocol's. cut: close the connection after
    this many bytes of the body. after: called before the headers, and may take its time."""

    text: str | None = ""
    tool: str | None = None
    finish: str = "stop"
    refusal: str | None = None
    usage: tuple[int, int] | None = (1000, 200)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None
    delay: float = 0.0
    trickle: float = 0.0
    cut: int | None = None
    after: Callable[[], Any] | None = None


def error(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    """An error as OpenAI words it."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return Answer(
        status=status,
        raw=json.dumps(body),
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )


Brain = Callable[[dict[str, Any]], Answer]


def in_turn(*answers: Answer) -> Brain:
    """Answers one after another; the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def text_of(request: dict[str, Any], role: str = "user") -> str:
    """All text of the messages of one role."""
    found = []
    for message in request["messages"]:
        if message["role"] == role:
            content = message["content"]
            found += (
                [content]
                if isinstance(content, str)
                else [part["text"] for part in content if part["type"] == "text"]
            )
    return "\n".join(found)


def images_of(request: dict[str, Any]) -> list[np.ndarray]:
    """The decoded images of a request; ValueError when one is not a PNG data URL."""
    images = []
    for message in request["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part["type"] == "image_url":
                head, _, data = part["image_url"]["url"].partition(",")
                image = cv2.imdecode(
                    np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_COLOR
                )
                if head != "data:image/png;base64" or image is None:
                    raise ValueError("not a PNG data URL")
                images.append(image)
    return images


class ScriptedServer:
    """requests: every chat request so far, parsed. spoken: their Authorization headers. busiest:
    most of them at once. key: the only key it takes, None for any. without: names of request fields
    that it refuses (400), as poorer servers do. models: whether it lists models."""

    def __init__(
        self, brain: Brain, key: str | None = KEY, without: Sequence[str] = (), models: bool = True
    ):
        self.brain, self.key, self.without, self.models = brain, key, tuple(without), models
        self.requests: list[dict[str, Any]] = []
        self.spoken: list[str] = []
        self.complaints: list[str] = []
        self.active = self.busiest = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ScriptedServer:
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def decide(self, request: dict[str, Any]) -> Answer:
        """The answer to one request: a refusal of what the protocol or this server does not take,
        or the script's."""
        with self.lock:
            complaint = self._complaint(request)
            if complaint:
                self.complaints.append(complaint)
                return error(400, complaint, "invalid_request_error")
            self.requests.append(request)
            try:
                return self.brain(request)
            except Exception as problem:
                self.complaints.append(f"the script failed: {problem!r}")
                return error(500, "the script failed")

    def count(self, change: int) -> None:
        """Requests that are being answered right now."""
        with self.lock:
            self.active += change
            self.busiest = max(self.busiest, self.active)

    def _complaint(self, request: dict[str, Any]) -> str:
        for name in self.without:
            if name in request or (
                name == "image_url" and '"image_url"' in json.dumps(request["messages"])
            ):
                return f"Unsupported parameter: '{name}' is not supported by this server"
        if not request.get("model") or not isinstance(request.get("messages"), list):
            return "model and messages are required"
        if any(
            m.get("role") not in ("system", "user", "assistant", "developer")
            or not m.get("content")
            for m in request["messages"]
        ):
            return "every message needs a role and content"
        try:
            images_of(request)
        except ValueError as problem:
            return f"invalid image: {problem}"
        return ""


@contextmanager
def serve(*answers: Answer, **settings: Any) -> Iterator[ScriptedServer]:
    """A server that gives these answers in turn."""
    with ScriptedServer(in_turn(*answers), **settings) as server:
        yield server


class _Handler(BaseHTTPRequestHandler):
    owner: ScriptedServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        if not self._admitted():
            return self._send(
                error(
                    401,
                    f"Incorrect API key provided: {self.headers.get('Authorization')}",
                    "invalid_api_key",
                )
            )
        body = {
            "object": "list",
            "data": [{"id": "scripted", "object": "model", "created": 0, "owned_by": "test"}],
        }
        return self._send(
            Answer(raw=json.dumps(body)) if self.owner.models else error(404, "no such page")
        )

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.spoken.append(self.headers.get("Authorization", ""))
        if not self._admitted():
            return self._send(
                error(
                    401,
                    f"Incorrect API key provided: {self.headers.get('Authorization')}",
                    "invalid_api_key",
                )
            )
        answer = self.owner.decide(request)
        self.owner.count(1)
        time.sleep(answer.delay)
        if answer.after is not None:
            answer.after()
        self.owner.count(-1)
        if answer.raw is None and request.get("stream"):
            return self._stream(answer, request)
        return self._send(answer, request)

    def _admitted(self) -> bool:
        return (
            self.owner.key is None
            or self.headers.get("Authorization") == f"Bearer {self.owner.key}"
        )

    def _send(self, answer: Answer, request: dict[str, Any] | None = None) -> None:
        body = (
            answer.raw if answer.raw is not None else json.dumps(_completion(answer, request))
        ).encode()
        try:
            self.send_response(answer.status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **answer.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if answer.cut is not None:
                self.wfile.write(body[: answer.cut])
                self.close_connection = True
                return
            for piece in (
                [body] if not answer.trickle else [body[i : i + 1] for i in range(len(body))]
            ):
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(answer.trickle)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _stream(self, answer: Answer, request: dict[str, Any]) -> None:
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for number, event in enumerate(_events(answer, request)):
                if answer.cut is not None and number >= answer.cut:
                    return
                self.wfile.write(
                    f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()
                )
                self.wfile.flush()
                time.sleep(answer.trickle)
        except (BrokenPipeError, ConnectionResetError):
            return


def _completion(answer: Answer, request: dict[str, Any] | None) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": answer.text,
        "refusal": answer.refusal,
    }
    if answer.tool is not None:
        message["tool_calls"] = [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": _tool_name(request), "arguments": answer.tool},
            }
        ]
    choice = {"index": 0, "message": message, "finish_reason": answer.finish, "logprobs": None}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": (request or {}).get("model"),
        "choices": [choice],
    }
    return body | ({"usage": _usage(answer)} if answer.usage else {})


def _usage(answer: Answer) -> dict[str, int]:
    prompt, completion = answer.usage
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _tool_name(request: dict[str, Any] | None) -> str:
    return request["tools"][0]["function"]["name"] if request and request.get("tools") else "tool"


def _events(answer: Answer, request: dict[str, Any]) -> Iterator[dict[str, Any] | str]:
    frame = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": request["model"],
    }

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for start in range(0, len(answer.text or ""), 400):
        yield chunk({"content": answer.text[start : start + 400]})
    if answer.tool is not None:
        call = {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "function": {"name": _tool_name(request), "arguments": ""},
        }
        yield chunk({"tool_calls": [call]})
        for start in range(0, len(answer.tool), 400):
            yield chunk(
                {
                    "tool_calls": [
                        {"index": 0, "function": {"arguments": answer.tool[start : start + 400]}}
                    ]
                }
            )
    yield chunk({}, answer.finish)
    if answer.usage and (request.get("stream_options") or {}).get("include_usage"):
        yield frame | {"choices": [], "usage": _usage(answer)}
    yield "[DONE]"
