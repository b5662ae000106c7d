"""Reasons why a stream is down; those that an administrator can fix have classes of their own."""

from __future__ import annotations

from typing import TypeGuard

from xmpp_rest.errors import GatewayError


class LinkDown(Exception):
    """The stream ended or never began. Not an OSError: xmpppy's Process swallows those (dispatcher.py:125)."""

    def __init__(self, reason: str, text: str = "") -> None:
        self.reason = reason
        self.text = text
        super().__init__(f"{reason}: {text}" if text else reason)

    @property
    def refused(self) -> bool:
        """Whether the server said no, so that trying again soon is of no use."""
        return self.reason in REMEDIES


REMEDIES = {  # stream error condition (RFC 6120 §4.9.3) → what to do about it
    "not-authorized": "the server knows another secret for this component, or (ejabberd) no such component: compare its configuration",
    "host-unknown": "the server has no component of this name: add it there, or correct [gateway] in wsgi.ini",
    "conflict": "another connection holds this component's name: stop the other gateway, or give it a name of its own",
    "invalid-from": "the server does not let this component send from that domain",
}


STREAM_CONDITIONS = frozenset({
    "bad-format", "bad-namespace-prefix", "conflict", "connection-timeout", "host-gone", "host-unknown", "improper-addressing",
    "internal-server-error", "invalid-from", "invalid-id", "invalid-namespace", "invalid-xml", "not-authorized", "not-well-formed",
    "policy-violation", "remote-connection-failed", "reset", "resource-constraint", "restricted-xml", "see-other-host",
    "system-shutdown", "undefined-condition", "unsupported-encoding", "unsupported-feature", "unsupported-stanza-type",
    "unsupported-version", "xml-not-well-formed",
})  # fmt: skip
"""RFC 6120 §4.9.3, with the two of RFC 3920 that it has no longer."""
LONGEST_TEXT = 1000  # characters of a server's text


def stream_error(condition: str, text: str = "") -> LinkDown:
    """Why a stream is down that the server has ended with an error. Reasons are labels of metrics, so there are only so many:
    a condition that nobody has defined is part of the text.
    """
    if condition in STREAM_CONDITIONS:
        return LinkDown(condition, text[:LONGEST_TEXT])
    return LinkDown("undefined-condition", f"{condition}: {text}"[:LONGEST_TEXT])


class OutboxFull(Exception):
    """As many stanzas as may wait for the link are waiting."""


class OtherStream(Exception):
    """The stream for which a stanza was put is not there any more."""


class ShareFull(Exception):
    """There is no room for further stanzas of these senders (bare JIDs)."""

    def __init__(self, senders: frozenset[str]) -> None:
        self.senders = senders
        super().__init__(", ".join(sorted(senders)))


class OutboxShare(GatewayError):
    """The same, for the sender."""

    def __init__(self, senders: frozenset[str], share: int) -> None:
        self.senders = senders
        text = f"{share} stanzas of one sender wait for the XMPP server, as many as [link] outbox_share lets; try again later"
        super().__init__("outbox-share", text)


def concerns_all(error: Exception) -> TypeGuard[GatewayError]:
    """Whether stanzas that were sent together, and refused for this, need not be tried one by one.

    A storage that has failed fails each of them, perhaps after as long; and it may have kept them.
    """
    return isinstance(error, GatewayError) and error.name == "storage-failed"
