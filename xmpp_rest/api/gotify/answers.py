"""How Gotify answers (hooks §14, https://gotify.net/api-docs)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from xmpp_rest.api.hooks.answers import Asked, HookAnswer
from xmpp_rest.api.hooks.failures import STATUS, Failure, HookFailure
from xmpp_rest.api.hooks.native import for_sender
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.problem import reason_phrase
from xmpp_rest.service.hooks.delivered import Delivered

NO_MESSAGE = "Field 'message' is required"
UNPROVEN = "you need to provide a valid access token or user credentials to access this api"
STATUSES = STATUS | {Failure.NOTHING: 400}


class GotifyAnswers:
    """Answers as a Gotify server's."""

    def delivered(self, asked: Asked, delivered: Delivered) -> HookAnswer:
        value: dict[str, Any] = asked.value if isinstance(asked.value, dict) else {}
        body = {
            "id": delivered.number,
            "appid": asked.hook.number,
            "message": _text(value.get("message")) or delivered.said.message or delivered.said.text,
            "title": _text(value.get("title")) or delivered.said.title or asked.hook.name,
            "priority": priority_of(value.get("priority")) or 0,
            "date": _date(delivered.due.at if delivered.due else delivered.at),
        }
        if isinstance(value.get("extras"), dict):
            body["extras"] = value["extras"]
        return HookAnswer(200, dump_json(body))

    def failed(self, asked: Asked, failure: HookFailure) -> HookAnswer:
        status = for_sender(asked, failure.failure, STATUSES[failure.failure])
        return gotify_error(status, NO_MESSAGE if failure.failure is Failure.NOTHING else failure.detail)


def gotify_error(status: int, text: str) -> HookAnswer:
    """An error in Gotify's words."""
    error = "Request Entity Too Large" if status == 413 else reason_phrase(status)
    return HookAnswer(status, dump_json({"error": error, "errorCode": status, "errorDescription": text}))


def priority_of(value: Any) -> int | None:
    """A priority as a number, which forms have as text; None for what is none."""
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _date(at: float) -> str:
    """Unix time as Gotify writes it."""
    moment = datetime.fromtimestamp(at or time.time(), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
