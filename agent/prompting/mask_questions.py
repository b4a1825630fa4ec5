"""Asking a vision-language model whether the masks made for a program are what its words say (see
tools.vision.check)."""

from __future__ import annotations

import json
from collections.abc import Callable

import prompts
from agent.models.client import ClientConfig
from agent.models.errors import ModelError
from agent.models.messages import Field, Form, Message, Request, Text
from agent.models.recording import Exchange
from agent.prompting.pictures import to_picture
from agent.prompting.reply import read_fields
from tools.vision.check import Answer, Ask, MaskQuestion, read_answer

MASK = Form(
    "mask",
    "Whether the outlined pixels are the object that the words describe.",
    (
        Field("ok", "yes or no"),
        Field("reason", "why, in a few words"),
        Field("words", "a phrase that describes the right object better", nullable=True),
        Field("point", "x, y: pixels of a point on the right object", nullable=True),
    ),
)


def asker(config: ClientConfig, answer: Callable[[Request], Exchange]) -> Ask:
    """The verdict function for ``tools.vision.repair.check_and_repair`` that asks a model.

    config: which model, and how. answer: ``Client.ask``, whose replies are recorded like all
    others, or what finds recorded ones. The verdict function raises ValueError where the model
    cannot be asked or its reply not used: then the measurements decide alone.
    """

    def ask(question: MaskQuestion) -> Answer:
        messages = (
            Message(
                "user",
                (Text(written(question)), to_picture(question.overlay, f"frame {question.frame}")),
            ),
        )
        try:
            exchange = answer(Request(config.model, messages, MASK, config.temperature))
            return read_answer(read_fields(exchange.answer), question)
        except ModelError as error:
            raise ValueError(f"no verdict on {question.name}: {error}") from error

    return ask


def written(question: MaskQuestion) -> str:
    """The question in words."""
    return prompts.load("masks").render(
        {
            "frame": str(question.frame),
            "words": question.words,
            "name": question.name,
            "others": ", ".join(question.others) or "none",
            "evidence": json.dumps(question.evidence.to_json()),
            "problems": "; ".join(p.message for p in question.verdict.problems) or "none",
        }
    )
