"""The table of failures that services report, with their HTTP status and XMPP condition.

One table. A service raises `GatewayError(name)`; each API renders it in its own shape, and the /rest API as a stanza error.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

log = logging.getLogger(__name__)


class Row(NamedTuple):
    """One kind of failure: HTTP status (RFC 9110 §15), stanza error type and condition (RFC 6120 §8.3), sentence."""

    status: int
    type: str
    condition: str
    text: str


ERRORS: dict[str, Row] = {
    "link-down": Row(503, "wait", "remote-server-timeout", "The connection to the XMPP server is down; try again later"),
    "link-lost": Row(503, "wait", "remote-server-timeout", "The connection to the XMPP server broke off before there was an answer"),
    "unanswered": Row(500, "wait", "remote-server-timeout", "Another process ended before it said whether this was done"),
    "outbox-share": Row(503, "wait", "resource-constraint", "Too many stanzas of this sender wait for the XMPP server; try again later"),
    "bad-recipient": Row(400, "modify", "jid-malformed", "There is no such address"),
    "id-too-long": Row(422, "modify", "policy-violation", "The id of a stanza is at most 1023 bytes long"),
    "outbox-full": Row(503, "wait", "resource-constraint", "Too many stanzas wait for the XMPP server; try again later"),
    "queue-full": Row(503, "wait", "resource-constraint", "Too many stanzas wait for this callback; try again later"),
    "stanza-too-big": Row(413, "modify", "policy-violation", "The stanza is larger than servers take"),
    "iq-timeout": Row(500, "wait", "remote-server-timeout", "IQ stanza timed out"),
    "iq-conflict": Row(500, "modify", "conflict", "IQ stanza id attribute already used"),
    "iq-overload": Row(500, "wait", "resource-constraint", "Too many IQ stanzas wait for their answer; try again later"),
    "waits-full": Row(503, "wait", "resource-constraint", "As many requests wait for an answer as may at once; try again later"),
    "client-gone": Row(500, "wait", "remote-server-timeout", "The client closed the connection while it waited for the answer"),
    "internal": Row(500, "cancel", "internal-server-error", "The gateway has met an error of its own; its log says more"),
    "streams-full": Row(503, "wait", "resource-constraint", "Too many event streams are open; close one, or try again later"),
    "event-unknown": Row(404, "cancel", "item-not-found", "There is no event of this id, or it is not kept any more"),
    "storage-failed": Row(503, "wait", "internal-server-error", "The storage failed; nothing was changed"),
    "bad-value": Row(400, "modify", "not-acceptable", "The storage cannot keep this value"),
    "account-exists": Row(409, "cancel", "conflict", "The account exists already"),
    "account-unknown": Row(404, "cancel", "item-not-found", "There is no such account"),
    "host-unknown": Row(404, "cancel", "item-not-found", "The domain is not hosted here"),
    "bad-contact": Row(400, "modify", "jid-malformed", "This address cannot be a contact"),
    "roster-full": Row(403, "wait", "resource-constraint", "The roster holds as many contacts as it may"),
    "blocked": Row(403, "cancel", "not-acceptable", "A privacy list or the block list of the account denies this"),
    "blocklist-full": Row(403, "wait", "resource-constraint", "The block list holds as many addresses as it may"),
    "card-elsewhere": Row(409, "cancel", "conflict", "The account keeps this part of its vCard elsewhere"),
    "job-running": Row(409, "wait", "conflict", "Operation in progress"),
    "room-unknown": Row(404, "cancel", "item-not-found", "There is no such room"),
    "room-exists": Row(409, "cancel", "conflict", "There is a room of that name already"),
    "not-occupant": Row(403, "cancel", "item-not-found", "Only occupants of the room may do this"),  # XEP MUC Light §7.1
    "not-owner": Row(403, "cancel", "not-allowed", "Only the owner of the room may do this"),  # §7.4
    "bad-room-change": Row(400, "modify", "bad-request", "The room cannot be changed in this way"),
    "bot-kept-out": Row(403, "auth", "forbidden", "Only an administrator may bring a bot into a room"),
    "room-full": Row(403, "wait", "resource-constraint", "The room holds as many occupants as it may"),
    "rooms-full": Row(503, "wait", "resource-constraint", "There are as many rooms as there may be"),
    "room-crowded": Row(403, "wait", "resource-constraint", "The room has as many affiliations or subscribers as it may"),
    "bad-room-name": Row(400, "modify", "jid-malformed", "This cannot be the name of a room"),
    "bad-room-option": Row(400, "modify", "not-acceptable", "A room has no such option, or it cannot have this value"),
    "bad-affiliation": Row(400, "modify", "bad-request", "An affiliation is one of owner, admin, member, outcast and none"),
    "bad-nick": Row(400, "modify", "not-acceptable", "This cannot be a nick"),
    "nick-taken": Row(409, "cancel", "conflict", "Another user has this nick"),
    "room-banned": Row(403, "auth", "forbidden", "The user is banned from the room"),
    "subscriptions-off": Row(403, "cancel", "not-allowed", "The room allows no subscriptions"),
    "bad-localpart": Row(400, "modify", "jid-malformed", "The user name is not valid"),
    "bad-password": Row(400, "modify", "not-acceptable", "The password contains unacceptable characters"),
}
RETRY_AFTER = 5  # seconds that 503 asks for, RFC 9110 §10.2.3: about two attempts of the link


class GatewayError(Exception):
    """A failure of the table above, with a sentence of its own where there is more to say."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self.row = ERRORS[name]
        self.text = text or self.row.text
        super().__init__(f"{name}: {self.text}")


def storage_failed(error: Exception, said: str = "The storage failed", name: str = "storage-failed") -> GatewayError:
    """What a StorageError is to clients: `said`, and the reason as far as it is theirs to know; all of it is logged.

    No path of a file, whatever the driver.
    """
    log.error("%s: %s", said, error)
    told = str(getattr(error, "told", ""))
    return GatewayError(name, f"{said}: {told}" if told else f"{said}; the log says why")


class Unanswered(GatewayError):
    """A call of another process was made, and its answer did not come: whether it was done is not known."""

    def __init__(self, text: str) -> None:
        super().__init__("link-down", text)


UNSURE = frozenset(("link-lost", "unanswered", "iq-timeout", "client-gone"))
"""Errors after which what was asked may have been done."""
