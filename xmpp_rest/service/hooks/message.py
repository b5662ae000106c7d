"""One message of a hook, as the leader gets it, and what becomes of it."""

from __future__ import annotations

from typing import NamedTuple

from drivers import StorageError
from xmpp_rest.errors import ERRORS, GatewayError
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.shared_file import SharedFile

HOOK = "hook-"
"""Begins the resource of a hook in rooms."""
SENT, CORRECTED, REPLIED = "sent", "corrected", "replied"


class HookRecipient(NamedTuple):
    """One target, and the id of the stanza to it. `room`: whether it is a room; None: service discovery tells."""

    jid: JID
    room: bool | None
    id: str


class HookMessage(NamedTuple):
    """What a hook says to each of its recipients.

    `owner`: whose rights count; `speaks_as`: the bare address that it is from; `nick`: in rooms. `key`: of the matter that it is about,
    "" if it is to be a message of its own; `state`, `ends`: as those of Said. `request_id`: of the request that sends it.
    """

    hook: str
    owner: JID
    speaks_as: JID
    nick: str
    text: str
    key: str
    state: str
    ends: bool
    request_id: str
    recipients: list[HookRecipient]
    file: SharedFile | None = None
    """A file that is sent, in place of the text."""

    @property
    def room_actor(self) -> JID:
        """The full address of the hook in rooms: one of its own, so that two hooks of an account may be in one room."""
        return self.speaks_as._replace(resource=f"{HOOK}{self.hook}")

    @property
    def chat_actor(self) -> JID:
        """The full address from which it writes to persons."""
        return self.speaks_as._replace(resource="hooks")


class Verdict(NamedTuple):
    """What became of one recipient. `how`: SENT, CORRECTED or REPLIED; `error`: None where it was accepted."""

    how: str = SENT
    error: StanzaError | None = None


def error_of_failure(error: Exception) -> StanzaError:
    """The stanza error for an exception of sending. Where the gateway fails, it is one for now: no program gives up an alert for that."""
    if isinstance(error, BadXML):
        return StanzaError("modify", "bad-request", str(error))
    if isinstance(error, GatewayError):
        return StanzaError("wait" if error.row.status >= 500 else error.row.type, error.row.condition, error.text)
    row = ERRORS["storage-failed" if isinstance(error, StorageError) else "internal"]
    return StanzaError("wait", row.condition, row.text)
