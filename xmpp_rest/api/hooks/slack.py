"""How requests of Slack's format are answered: with one word (hooks §12, https://api.slack.com/messaging/webhooks#handling_errors)."""

from __future__ import annotations

from xmpp_rest.api.hooks.answers import TEXT, Asked, HookAnswer
from xmpp_rest.api.hooks.failures import Failure, HookFailure
from xmpp_rest.api.hooks.native import for_sender
from xmpp_rest.service.hooks.delivered import Delivered

WORDS = {
    Failure.UNREADABLE: (400, "invalid_payload"),
    Failure.NOTHING: (400, "no_text"),
    Failure.UNAUTHORIZED: (401, "invalid_token"),
    Failure.FORBIDDEN: (403, "action_prohibited"),
    Failure.FULL: (403, "action_prohibited"),
    Failure.TOO_LARGE: (413, "invalid_payload"),
    Failure.MEDIA_TYPE: (415, "invalid_payload"),
    Failure.REUSED: (422, "invalid_payload"),
    Failure.LIMITED: (429, "rate_limited"),
    Failure.UNKNOWN: (404, "channel_not_found"),
    Failure.GONE: (410, "channel_is_archived"),
    Failure.NOT_ALLOWED: (403, "action_prohibited"),
    Failure.FOR_NOW: (503, "service_unavailable"),
    Failure.INTERNAL: (500, "service_unavailable"),
}
"""Failure → status and word."""


class SlackAnswers:
    """Answers as a word of text."""

    def delivered(self, asked: Asked, delivered: Delivered) -> HookAnswer:
        return HookAnswer(200, b"ok", TEXT)

    def failed(self, asked: Asked, failure: HookFailure) -> HookAnswer:
        usual, word = WORDS[failure.failure]
        return HookAnswer(for_sender(asked, failure.failure, usual), word.encode(), TEXT)
