"""Why is a stream not up? The reasons that an administrator can do something about are told apart."""

from __future__ import annotations


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


class OutboxFull(Exception):
    """As many stanzas as may wait for the link are waiting."""
