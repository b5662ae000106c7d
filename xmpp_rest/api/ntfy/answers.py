"""How requests of ntfy's format are answered at /hooks: with the message, or by a code (hooks §12, §13.2)."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.hooks.answers import Asked, HookAnswer
from xmpp_rest.api.hooks.failures import Failure, HookFailure
from xmpp_rest.api.hooks.native import for_sender, limited_status
from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.messages import line, shown
from xmpp_rest.service.hooks.delivered import Delivered
from xmpp_rest.service.hooks.published import PublishedMessage, id_of

CODES = {
    Failure.UNREADABLE: 40024,
    Failure.NOTHING: 40024,
    Failure.UNAUTHORIZED: 40101,
    Failure.FORBIDDEN: 40301,
    Failure.FULL: 40301,
    Failure.TOO_LARGE: 41303,
    Failure.MEDIA_TYPE: 40000,
    Failure.REUSED: 40000,
    Failure.LIMITED: 42901,
    Failure.UNKNOWN: 50201,
    Failure.GONE: 50201,
    Failure.NOT_ALLOWED: 50201,
    Failure.FOR_NOW: 50301,
    Failure.INTERNAL: 50001,
}


def limited_code(format_: str, user_agent: str) -> int:
    """The code of a request that came too soon: one after which its sender, of this format or User-Agent, tries again."""
    return 50301 if limited_status(format_, user_agent) == 503 else CODES[Failure.LIMITED]


class NtfyAnswers:
    """Answers as ntfy's."""

    def delivered(self, asked: Asked, delivered: Delivered) -> HookAnswer:
        value: dict[str, Any] = asked.value if isinstance(asked.value, dict) else {}
        topic = value.get("topic")
        members = {"title": delivered.said.title, "message": delivered.said.message or delivered.said.text} | value
        message = PublishedMessage(id_of(delivered), delivered.due.at if delivered.due else delivered.at, members)
        return HookAnswer(200, line(shown(message, topic if isinstance(topic, str) else asked.hook.name, asked.cache)))

    def failed(self, asked: Asked, failure: HookFailure) -> HookAnswer:
        code = CODES[failure.failure]
        if for_sender(asked, failure.failure, code // 100) == 503:
            code = CODES[Failure.FOR_NOW]
        error = NtfyError(code, failure.detail)
        return HookAnswer(error.status, error.body)
