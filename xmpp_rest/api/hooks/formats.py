"""Which API's answers a format has."""

from __future__ import annotations

from collections.abc import Mapping

from xmpp_rest.api.apprise.answers import AppriseAnswers
from xmpp_rest.api.gotify.answers import GotifyAnswers
from xmpp_rest.api.hooks.answers import Answering
from xmpp_rest.api.hooks.native import NativeAnswers
from xmpp_rest.api.hooks.slack import SlackAnswers
from xmpp_rest.api.ntfy.answers import NtfyAnswers

ANSWERS: Mapping[str, Answering] = {
    "slack": SlackAnswers(),
    "gotify": GotifyAnswers(),
    "apprise": AppriseAnswers(),
    "ntfy": NtfyAnswers(),
}
"""Format → its answers, where they are not NATIVE."""
NATIVE: Answering = NativeAnswers()


def answering(format_: str) -> Answering:
    """The answers of a format."""
    return ANSWERS.get(format_, NATIVE)
