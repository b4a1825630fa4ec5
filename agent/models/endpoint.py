"""The one module that imports the LLM client: a chat endpoint that speaks the OpenAI protocol,
wherever it runs."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_openai import ChatOpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import SecretStr

from agent.models.client import TryAgain
from agent.models.dialect import Dialect
from agent.models.errors import ContextTooLong, ModelError, RequestRefused, Unreachable, WrongKey
from agent.models.ledger import BYTES_PER_TOKEN
from agent.models.messages import Form, Message, Picture, Reply, Request, Text

OPENAI_URL = "https://api.openai.com/v1"
MAX_BODY = 8 << 20
"""Bytes of one response that are read before it is given up."""
MOST_TOKENS = 100_000_000
"""Of one call: what an endpoint counts beyond it is not believed."""
_MALFORMED = (400, 413, 415, 422)
"""Statuses that blame the request."""
NO_KEY = "none"
"""Sent to servers that ask for no key."""


@dataclass(frozen=True)
class EndpointConfig:
    """model: name as the endpoint knows it. base_url: up to and with /v1; "" for OpenAI. api_key:
    None for servers that need none. timeout: seconds for one whole answer, however slowly it
    trickles. stream: ask for the answer in pieces. structure: where to begin, one of
    agent.models.dialect.STRUCTURES, or "auto" for the first."""

    model: str
    base_url: str = ""
    api_key: SecretStr | None = None
    timeout: float = 300.0
    stream: bool = False
    structure: str = "auto"


class Endpoint:
    """Sends one request at a time (from any thread) and says in our own errors what went wrong.
    news: what it was found not to take, a sentence each, once."""

    def __init__(self, config: EndpointConfig):
        self.config = config
        self.dialect = Dialect.first(config.structure, hosted=not config.base_url)
        self.news: list[str] = []
        self._lock = threading.Lock()
        self._http = httpx.Client(
            timeout=httpx.Timeout(config.timeout, connect=15.0),
            event_hooks={"response": [_bounded(config.timeout)]},
        )
        self._chat = ChatOpenAI(
            model=config.model,
            base_url=config.base_url or OPENAI_URL,
            api_key=config.api_key or SecretStr(NO_KEY),
            http_client=self._http,
            openai_proxy=None,
            max_retries=0,
            use_responses_api=False,
            timeout=config.timeout,
        )

    def __repr__(self) -> str:
        return f"Endpoint({self.config.model!r} at {self.address})"

    @property
    def address(self) -> str:
        """The base URL without any credentials in it."""
        return re.sub(r"//[^/@]*@", "//", self.config.base_url or OPENAI_URL)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def check(self) -> None:
        """Ask for the list of models, which costs nothing. Raises WrongKey or Unreachable; an
        endpoint that has no such list passes."""
        try:
            self._chat.root_client.with_options(timeout=15.0).models.list()
        except openai.APIConnectionError as error:
            raise Unreachable(
                self._name,
                "an answer",
                _cause(error),
                "is the server running, and is --base-url right?",
            ) from None
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._wrong_key(error) from None
        except (openai.OpenAIError, ValueError):
            return

    def send(self, request: Request, output_tokens: int) -> Reply:
        """One call. Gives up what the endpoint says it cannot take, and repeats the question
        without it (a refused request is not charged). Raises TryAgain for passing failures and the
        other ModelErrors for lasting ones."""
        while True:
            dialect = self.dialect
            answer = self._send(request, output_tokens, dialect)
            if isinstance(answer, Reply):
                return answer
            with self._lock:
                if self.dialect == dialect:
                    self.dialect = answer
                    self.news.append(f"{self._name} {dialect.lost(answer)}")

    def _send(self, request: Request, output_tokens: int, dialect: Dialect) -> Reply | Dialect:
        """The answer, or the poorer dialect that the endpoint may take."""
        messages = [_speak(message, dialect.pictures) for message in request.messages]
        options = _options(request, output_tokens, dialect)
        try:
            return _reply(self._invoke(messages, options, dialect), request)
        except openai.APIStatusError as error:
            poorer = self._poorer(error, dialect)
            if poorer is None:
                raise self._refused(error) from None
            return poorer
        except (openai.APITimeoutError, httpx.TimeoutException):
            raise TryAgain(
                f"no complete answer within {self.config.timeout:g} s", sent=True
            ) from None
        except (openai.APIConnectionError, httpx.HTTPError) as error:
            raise TryAgain(
                f"connection failed: {_cause(error)}",
                sent=not isinstance(error.__cause__, httpx.ConnectError),
            ) from None
        except (
            openai.OpenAIError,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            raise TryAgain(f"malformed answer: {self._clean(error)}", sent=True) from None

    def _poorer(self, error: openai.APIStatusError, dialect: Dialect) -> Dialect | None:
        """What the endpoint may take, where it names what it does not: any field where it blames
        the request, pictures whatever the status."""
        message, status = self._clean(error), error.status_code
        if status in (401, 429) or (status in _MALFORMED and _is_too_long(message)):
            return None
        named = rf"(?<!\w){re.escape(self.config.model)}(?!\w)"  # a name may hold such a word
        poorer = dialect.without(re.sub(named, "", message))
        if poorer is None or status in (*_MALFORMED, 404):
            return poorer
        return poorer if poorer.pictures < dialect.pictures else None

    def _refused(self, error: openai.APIStatusError) -> ModelError:
        """What a status means."""
        message, status = self._clean(error), error.status_code
        if status in _MALFORMED and _is_too_long(message):
            got = f"one longer than the model's context ({message})"
            return ContextTooLong(self._name, "a prompt that fits", got)
        if status in _MALFORMED:
            return RequestRefused(self._name, "an answer", f"a refusal of the request: {message}")
        if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
            return self._wrong_key(error)
        if isinstance(error, openai.NotFoundError):
            return Unreachable(
                self._name,
                f"this model at {self.address}",
                f"404: {message}",
                "check --model and --base-url",
            )
        if isinstance(error, openai.RateLimitError):
            return self._rate_limited(error)
        return TryAgain(f"HTTP {status}: {message}", _retry_after(error))

    def _invoke(
        self, messages: list[BaseMessage], options: dict[str, Any], dialect: Dialect
    ) -> AIMessage:
        """The whole answer, in one piece or put together from a stream. A stream that ends without
        saying why is cut off."""
        if not self.config.stream:
            return self._chat.invoke(messages, **options)
        payload = self._chat._get_request_payload(messages, stream=True, **options)
        if dialect.stream_usage:
            payload["stream_options"] = {"include_usage": True}
        with self._chat.root_client.chat.completions.create(**payload) as pieces:
            return _joined(pieces)

    @property
    def _name(self) -> str:
        return f"model {self.config.model!r}"

    def _rate_limited(self, error: openai.RateLimitError) -> ModelError:
        message = self._clean(error)
        if "insufficient_quota" in message:
            return Unreachable(self._name, "credit on this account", message)
        return TryAgain(f"HTTP 429: {message}", _retry_after(error))

    def _wrong_key(self, error: openai.APIStatusError) -> WrongKey:
        given = "the key given" if self.config.api_key else "no key"
        return WrongKey(
            self._name,
            f"a valid API key for {self.address}",
            f"{given} and HTTP {error.status_code}",
            "set PROGGEN_API_KEY or OPENAI_API_KEY",
        )

    def _clean(self, error: BaseException) -> str:
        """The endpoint's own words on one line, without the key, cut to 300 characters."""
        body = getattr(error, "body", None)
        text = str(body.get("message") or body) if isinstance(body, dict) else str(error)
        if isinstance(body, dict) and body.get("code") and str(body["code"]) not in text:
            text = f"{body['code']}: {text}"
        secret = self.config.api_key.get_secret_value() if self.config.api_key else ""
        if secret:
            text = text.replace(secret, "[key]")
        text = re.sub(r"\b(sk|key|pk|gsk|xai)-[\w*.-]{4,}", "[key]", text)
        text = " ".join(text.split())
        return text if len(text) <= 300 else text[:297] + "..."


def _bounded(seconds: float) -> Callable[[httpx.Response], None]:
    """A response hook that ends any body that takes longer than ``seconds`` or is larger than
    MAX_BODY."""

    def limit(response: httpx.Response) -> None:
        response.stream = _BoundedStream(response.stream, time.monotonic() + seconds)

    return limit


class _BoundedStream(httpx.SyncByteStream):
    def __init__(self, stream: Any, deadline: float):
        self._stream, self._deadline = stream, deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("the answer did not end in time")
            if size > MAX_BODY:
                raise httpx.ReadError("the answer is too large")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _options(request: Request, output_tokens: int, dialect: Dialect) -> dict[str, Any]:
    """Keyword arguments for one ``invoke`` in this dialect."""
    extra: dict[str, Any] = {}
    if dialect.output_limit:
        extra[dialect.output_limit] = output_tokens
    if dialect.structure == "json_schema":
        extra["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": request.form.name,
                "strict": True,
                "schema": request.form.schema(),
            },
        }
    options: dict[str, Any] = {"extra_body": extra}
    if dialect.structure == "tool":
        options["tools"] = [_tool(request.form)]
        options["tool_choice"] = {"type": "function", "function": {"name": request.form.name}}
    if dialect.temperature and request.temperature is not None:
        options["temperature"] = request.temperature
    if dialect.seed:
        options["seed"] = request.sample
    return options


def _tool(form: Form) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": form.name, "description": form.about, "parameters": form.schema()},
    }


def _speak(message: Message, pictures: bool) -> BaseMessage:
    """A message as the protocol has it; text alone stays a plain string, which every server
    takes."""
    if not any(isinstance(part, Picture) for part in message.parts) or not pictures:
        text = "\n\n".join(
            part.text
            if isinstance(part, Text)
            else part.words or f"[{part.caption}: not shown, text only]"
            for part in message.parts
        )
        return {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}[
            message.role
        ](text)
    return HumanMessage([_content(part) for part in message.parts])


def _content(part: Text | Picture) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    data = base64.b64encode(part.png).decode()
    return {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{data}", "detail": "high"},
    }


def _reply(answer: AIMessage, request: Request) -> Reply:
    calls = answer.tool_calls or answer.invalid_tool_calls
    arguments = _arguments(answer) if calls else None
    usage = _counted(answer)
    text = (
        answer.content
        if isinstance(answer.content, str)
        else "".join(p.get("text", "") for p in answer.content if isinstance(p, dict))
    )
    guess = int(len((text + (arguments or "")).encode()) / BYTES_PER_TOKEN)
    return Reply(
        text=text,
        arguments=arguments,
        finish=str(answer.response_metadata.get("finish_reason") or ""),
        refusal=str(answer.additional_kwargs.get("refusal") or ""),
        input_tokens=usage[0] if usage else 0,
        output_tokens=usage[1] if usage else guess,
        counted=usage is not None,
        model=str(answer.response_metadata.get("model_name") or request.model),
    )


def _joined(pieces: Iterable[ChatCompletionChunk]) -> AIMessage:
    """The answer that a stream brings piece by piece. The client library would parse what there is
    of a tool call again with every piece, and try again without its last character where it does
    not parse."""
    text, arguments, refusal, finish, model, usage = [], [], [], "", "", None
    for piece in pieces:
        model, usage = piece.model or model, piece.usage or usage
        for choice in piece.choices[:1]:
            delta, finish = choice.delta, choice.finish_reason or finish
            text.append(delta.content or "")
            refusal.append(delta.refusal or "")
            arguments += [
                call.function.arguments or ""
                for call in delta.tool_calls or ()
                if call.index == 0 and call.function is not None
            ]
    if not finish:
        raise ValueError("the stream broke off")
    call = InvalidToolCall(
        type="invalid_tool_call", name="", args="".join(arguments), id="0", error=None
    )
    counts = (0, 0) if usage is None else (usage.prompt_tokens, usage.completion_tokens)
    return AIMessage(
        "".join(text),
        invalid_tool_calls=[call] if arguments else [],
        additional_kwargs={"refusal": "".join(refusal)},
        response_metadata={"finish_reason": finish, "model_name": model},
        usage_metadata=None
        if usage is None
        else UsageMetadata(
            input_tokens=counts[0], output_tokens=counts[1], total_tokens=sum(counts)
        ),
    )


def _counted(answer: AIMessage) -> tuple[int, int] | None:
    """(input, output) tokens as the endpoint counted them, None where these are no counts."""
    usage: dict[str, Any] = dict(answer.usage_metadata or {})
    counts = [usage.get(name) for name in ("input_tokens", "output_tokens")]
    whole = [n for n in counts if type(n) is int and 0 <= n <= MOST_TOKENS]
    return (whole[0], whole[1]) if len(whole) == len(counts) else None


def _arguments(answer: AIMessage) -> str:
    if answer.tool_calls:
        return json.dumps(answer.tool_calls[0]["args"], ensure_ascii=False)
    return str(answer.invalid_tool_calls[0].get("args") or "")


def _is_too_long(message: str) -> bool:
    text = message.lower()
    marks = (
        "context_length",
        "context length",
        "maximum context",
        "prompt is too long",
        "context window",
        "exceeds the available context",
        "exceed_context",
    )
    return any(mark in text for mark in marks)


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return " ".join(f"{type(cause).__name__}: {cause}".split())[:200]
