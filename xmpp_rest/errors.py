"""The table of errors: name, HTTP status, XMPP condition and sentence, below the page that explains them.

A service raises `GatewayError(name)`; each dialect renders it in its own shape, and adds what its model says otherwise:

| dialect | renders in | beside the table |
| --- | --- | --- |
| `/rest` | `api/rest/errors.py`; which exception is which error: `api/rest/refused.py` | – |
| `/rest/rooms` | `api/rooms/problems.py` | statuses of answers that did not come in time |
| `/data` | `api/data/resource.py` | 400, 412 and 413 of what a store cannot hold |
| client | `api/client/refusal.py` | texts of MongooseIM, by resources: `Refusal(status, text)`, `roompath.py:REFUSALS` |
| commands, command line | `api/commands/errors.py`, `cli/output.py` | ejabberd's codes and sentences, in `groups/` |
| `/oauth` | `api/oauth/password.py` | codes of RFC 6749 §5.2 |
| `/health`, `/status`, and what no view answers | `api/failures.py` | problem documents |

Statuses of HTTP itself (404, 405, 406, 412 …) come from the state machine: `http/`.
"""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

log = logging.getLogger("xmpp_rest.storage")


class Row(NamedTuple):
    """One kind of failure: HTTP status (RFC 9110 §15), stanza error type and condition (RFC 6120 §8.3), sentence."""

    status: int
    type: str
    condition: str
    text: str
    retry_after: int | None = None
    """Seconds after which to try again, where it is not RETRY_AFTER that 503 asks for."""


_FOREIGN = (
    "A web page of another origin may not do this with a user name and password, which browsers send by themselves;"
    " let it use a Bearer token, or list its origin in [server] origins"
)

TABLE: dict[str, dict[str, Row]] = {
    "docs/running.md#when-the-link-stays-down": {
        "link-down": Row(503, "wait", "remote-server-timeout", "The connection to the XMPP server is down; try again later"),
        "link-lost": Row(503, "wait", "remote-server-timeout", "The connection to the XMPP server broke off before there was an answer"),
        "unanswered": Row(500, "wait", "remote-server-timeout", "Another process ended before it said whether this was done"),
        "outbox-full": Row(503, "wait", "resource-constraint", "Too many stanzas wait for the XMPP server; try again later"),
        "outbox-share": Row(
            503, "wait", "resource-constraint", "Too many stanzas of this sender wait for the XMPP server; try again later"
        ),
    },
    "docs/running.md#when-the-database-goes-away": {
        "storage-failed": Row(503, "wait", "internal-server-error", "The storage failed; nothing was changed"),
        "bad-value": Row(400, "modify", "not-acceptable", "The storage cannot keep this value"),
        "internal": Row(500, "cancel", "internal-server-error", "The gateway has met an error of its own; its log says more"),
    },
    "docs/running.md#requests-that-wait": {
        "waits-full": Row(503, "wait", "resource-constraint", "As many requests wait for an answer as may at once; try again later"),
        "client-gone": Row(500, "wait", "remote-server-timeout", "The client closed the connection while it waited for the answer"),
    },
    "docs/running.md#web-pages": {
        "foreign": Row(403, "auth", "forbidden", _FOREIGN),
    },
    "docs/rest.md#authentication": {
        "noauthz": Row(401, "auth", "not-authorized", "No credentials provided"),
        "unauthz": Row(403, "auth", "not-authorized", "Credentials not accepted"),
        "malformauthz": Row(403, "auth", "not-authorized", "Credentials malformed"),
        "prepauthz": Row(403, "auth", "not-authorized", "Credentials failed stringprep"),
        "from_auth": Row(403, "auth", "not-authorized", "Not authorized to send stanza with requested 'from'"),
        "admin": Row(403, "auth", "forbidden", "Only administrators may do this"),
        "of": Row(403, "auth", "forbidden", "These credentials show the events of one account only"),
        "scope": Row(403, "auth", "forbidden", "This token may send messages to certain addresses only, not to this one"),
        "throttled": Row(429, "wait", "policy-violation", "Too many wrong credentials; try again later"),
    },
    "docs/rest.md#errors": {
        "parse": Row(400, "modify", "not-well-formed", "Failed to parse payload"),
        "size": Row(413, "modify", "resource-constraint", "Payload too large"),
        "mediatype": Row(415, "cancel", "bad-format", "Unsupported media type"),
        "xmlns": Row(422, "modify", "invalid-namespace", "'xmlns' attribute must be empty"),
        "name": Row(422, "modify", "unsupported-stanza-type", "Invalid stanza, must be 'message', 'presence' or 'iq'."),
        "to": Row(422, "modify", "improper-addressing", "Invalid destination JID"),
        "from": Row(422, "modify", "invalid-from", "Invalid source JID"),
        "id": Row(422, "modify", "policy-violation", "The stanza's id must be at most 1023 bytes long"),
        "unsaid": Row(422, "modify", "bad-request", "Nothing in the payload is deliverable; see 'error' for the unknown members"),
        "query": Row(
            422, "modify", "bad-request", "A query string does not describe the stanza; write it in the body, as a form or as JSON"
        ),
        "iq_type": Row(422, "modify", "invalid-xml", "'iq' stanza must be of type 'get' or 'set'"),
        "iq_tags": Row(422, "modify", "bad-format", "'iq' stanza must have exactly one child tag"),
        "unwritable": Row(500, "cancel", "undefined-condition", "The stanza cannot be written in the requested format"),
        "bad-recipient": Row(400, "modify", "jid-malformed", "There is no such address"),
        "id-too-long": Row(422, "modify", "policy-violation", "The id of a stanza is at most 1023 bytes long"),
        "stanza-too-big": Row(413, "modify", "policy-violation", "The stanza is larger than servers take"),
        "blocked": Row(403, "cancel", "not-acceptable", "A privacy list or the block list of the account denies this"),
    },
    "docs/rest.md#blocking": {
        "iq-timeout": Row(500, "wait", "remote-server-timeout", "IQ stanza timed out"),
        "iq-conflict": Row(500, "modify", "conflict", "IQ stanza id attribute already used"),
        "iq-overload": Row(500, "wait", "resource-constraint", "Too many IQ stanzas wait for their answer; try again later"),
    },
    "docs/rest.md#delivery-status": {
        "outcome": Row(404, "cancel", "item-not-found", "There is no stanza of this id whose outcome is known"),
    },
    "docs/scheduled.md#errors": {
        "schedule_time": Row(400, "modify", "bad-request", "This is not a time at which a message can be sent"),
        "schedule_batch": Row(400, "modify", "bad-request", "The messages of a batch cannot be scheduled; send each by itself"),
        "schedule_kind": Row(422, "modify", "bad-request", "Only a message can be scheduled"),
        "schedule-full": Row(403, "wait", "resource-constraint", "As many messages of the account wait for their time as may"),
        "scheduled": Row(404, "cancel", "item-not-found", "No message of this id waits for its time"),
        "scheduled_of": Row(403, "auth", "forbidden", "Only administrators may see what others have scheduled"),
    },
    "docs/rest.md#rate-limits": {
        "rate": Row(429, "wait", "policy-violation", "Too many requests; Retry-After says when the next one is possible"),
    },
    "docs/rest.md#event-stream": {
        "streams-full": Row(503, "wait", "resource-constraint", "Too many event streams are open; close one, or try again later"),
        "event-unknown": Row(404, "cancel", "item-not-found", "There is no event of this id, or it is not kept any more"),
    },
    "docs/rest.md#idempotency": {
        "idempotency_key": Row(400, "modify", "bad-request", "Malformed Idempotency-Key"),
        "idempotency_batch": Row(400, "modify", "bad-request", "A batch cannot have an Idempotency-Key; give its stanzas ids instead"),
        "idempotency_running": Row(409, "wait", "conflict", "The first request with this Idempotency-Key is still running"),
        "hook-running": Row(503, "wait", "conflict", "The first request of this name is still at work; try again later"),
        "idempotency_reused": Row(422, "modify", "conflict", "This Idempotency-Key came with another request before"),
        "idempotency_unkept": Row(409, "cancel", "conflict", "The first answer was too long to be kept; nothing was sent again"),
    },
    "docs/rest.md#callbacks": {
        "queue-full": Row(503, "wait", "resource-constraint", "Too many stanzas wait for this callback; try again later"),
        "callback": Row(404, "cancel", "item-not-found", "There is no callback of this name"),
        "dead": Row(404, "cancel", "item-not-found", "There is no dead letter of this id"),
    },
    "docs/commands.md#errors": {
        "account-exists": Row(409, "cancel", "conflict", "The account exists already"),
        "account-unknown": Row(404, "cancel", "item-not-found", "There is no such account"),
        "host-unknown": Row(404, "cancel", "item-not-found", "The domain is not hosted here"),
        "bad-localpart": Row(400, "modify", "jid-malformed", "The user name is not valid"),
        "bad-password": Row(400, "modify", "not-acceptable", "The password contains unacceptable characters"),
        "card-elsewhere": Row(409, "cancel", "conflict", "The account keeps this part of its vCard elsewhere"),
        "job-running": Row(409, "wait", "conflict", "Operation in progress"),
    },
    "docs/client-rooms-contacts.md#contacts": {
        "bad-contact": Row(400, "modify", "jid-malformed", "This address cannot be a contact"),
        "roster-full": Row(403, "wait", "resource-constraint", "The roster holds as many contacts as it may"),
        "blocklist-full": Row(403, "wait", "resource-constraint", "The block list holds as many addresses as it may"),
    },
    "docs/client-rooms-contacts.md#rooms": {
        "room-unknown": Row(404, "cancel", "item-not-found", "There is no such room"),
        "room-exists": Row(409, "cancel", "conflict", "There is a room of that name already"),
        "not-occupant": Row(403, "cancel", "item-not-found", "Only occupants of the room may do this"),  # XEP MUC Light §7.1
        "not-owner": Row(403, "cancel", "not-allowed", "Only the owner of the room may do this"),  # §7.4
        "bad-room-change": Row(400, "modify", "bad-request", "The room cannot be changed in this way"),
        "bot-kept-out": Row(403, "auth", "forbidden", "Only an administrator may bring a bot into a room"),
        "room-full": Row(403, "wait", "resource-constraint", "The room holds as many occupants as it may"),
        "rooms-full": Row(503, "wait", "resource-constraint", "There are as many rooms as there may be"),
    },
    "docs/hooks.md#errors": {
        "hook-unknown": Row(404, "cancel", "item-not-found", "There is no such hook, or it is somebody else's"),
        "hook-exists": Row(409, "cancel", "conflict", "There is a hook of that name already"),
        "hook-configured": Row(409, "cancel", "not-allowed", "The hook is one of the configuration: change it there"),
        "hook-changed": Row(412, "wait", "conflict", "Somebody has changed the hook meanwhile"),
        "hook-member": Row(422, "modify", "bad-request", "A member of the hook has a wrong value, or is unknown"),
        "hook-payload": Row(422, "modify", "bad-request", "The payload cannot be sent through the hook"),
        "hooks-full": Row(403, "wait", "resource-constraint", "The account has as many hooks as it may"),
    },
    "docs/rest.md#speaking-in-rooms": {
        "room-refused": Row(502, "cancel", "undefined-condition", "The room has refused this"),  # status and condition: those of the room
        "room-held": Row(503, "wait", "resource-constraint", "As many messages wait for this room as may; try again later"),
    },
    "docs/foreign-accounts.md#errors": {  # accounts-anywhere §6; {domain}: that of the account's address
        "account-disabled": Row(403, "auth", "forbidden", "The server of {domain} has disabled this account"),
        "too-many-failures": Row(429, "wait", "policy-violation", "Too many wrong credentials; try again later"),
        "login-paused": Row(503, "wait", "policy-violation", "Too many wrong passwords for accounts of {domain}; new logins wait"),
        "unreachable": Row(503, "wait", "remote-server-timeout", "The server of {domain} cannot be reached; try again later"),
        "login-later": Row(503, "wait", "resource-constraint", "The server of {domain} takes no login now; try again later"),
        "no-server": Row(502, "cancel", "remote-server-not-found", "There is no XMPP server for {domain}"),
        "bad-certificate": Row(
            502, "cancel", "policy-violation", "The certificate of {domain} is not valid ({reason}); the password was not sent"
        ),
        "no-tls": Row(502, "cancel", "policy-violation", "The server of {domain} offers no encryption; the password was not sent"),
        "no-login": Row(502, "cancel", "feature-not-implemented", "The server of {domain} offers no login that is known here"),
        "impostor": Row(502, "cancel", "policy-violation", "The server of {domain} could not prove that it knows the password"),
        "sessions-full": Row(503, "wait", "resource-constraint", "As many sessions are open as there may be; try again later"),
        "session-lost": Row(503, "wait", "remote-server-timeout", "The session at {domain} broke off; try again", retry_after=1),
        "session-broke": Row(503, "wait", "remote-server-timeout", "The session at {domain} broke off; try again", retry_after=1),
        "no-session": Row(404, "cancel", "item-not-found", "This account has no session elsewhere"),
        "session-unknown": Row(404, "cancel", "item-not-found", "There is no session of this account"),
        "no-archive": Row(501, "cancel", "feature-not-implemented", "Message archive not available"),
        "server-refused": Row(502, "cancel", "undefined-condition", "The account's server has refused this"),  # status: by its condition
        "server-silent": Row(504, "wait", "remote-server-timeout", "The account's server does not answer"),
        "elsewhere": Row(403, "auth", "forbidden", "This is for accounts of {hosted} only, and {domain} is another server's"),
    },
    "docs/conference.md#rules": {
        "room-crowded": Row(403, "wait", "resource-constraint", "The room has as many affiliations or subscribers as it may"),
        "bad-room-name": Row(400, "modify", "jid-malformed", "This cannot be the name of a room"),
        "bad-room-option": Row(400, "modify", "not-acceptable", "A room has no such option, or it cannot have this value"),
        "bad-affiliation": Row(400, "modify", "bad-request", "An affiliation is one of owner, admin, member, outcast and none"),
        "bad-nick": Row(400, "modify", "not-acceptable", "This cannot be a nick"),
        "nick-taken": Row(409, "cancel", "conflict", "Another user has this nick"),
        "room-banned": Row(403, "auth", "forbidden", "The user is banned from the room"),
        "subscriptions-off": Row(403, "cancel", "not-allowed", "The room allows no subscriptions"),
    },
}
"""Page and section of the documentation → name → row."""

ERRORS: dict[str, Row] = {name: row for rows in TABLE.values() for name, row in rows.items()}
RETRY_AFTER = 5  # seconds that 503 asks for, RFC 9110 §10.2.3: about two attempts of the link


class GatewayError(Exception):
    """A failure of the table above, with a sentence of its own where there is more to say."""

    def __init__(self, name: str, text: str = "", row: Row | None = None, by: str = "", retry_after: float | None = None) -> None:
        """`row`: of what has another status and condition than the name says, as what rooms refuse; `by`: the address that has refused.

        `retry_after`: seconds after which to try again; None: those of the row.
        """
        self.name = name
        self.row = row or ERRORS[name]
        self.by = by
        self.given_retry_after = retry_after
        self.text = text or self.row.text
        super().__init__(f"{name}: {self.text}")

    @property
    def retry_after(self) -> int | None:
        """Whole seconds after which to try again (RFC 9110 §10.2.3), at least 1; None: it is of no use."""
        seconds = self.row.retry_after if self.given_retry_after is None else self.given_retry_after
        if seconds is None:
            return RETRY_AFTER if self.row.status == 503 else None
        return max(1, math.ceil(seconds))

    def again(self) -> GatewayError:
        """The same for another caller: what is raised keeps the frames that it has passed, and what is in them, such as a password."""
        return GatewayError(self.name, self.text, self.row, self.by, self.given_retry_after)


def at_server(name: str, domain: str, *, reason: str = "", retry_after: float | None = None) -> GatewayError:
    """An error of `docs/foreign-accounts.md#errors`, with the domain of the account, and the `reason` of bad-certificate."""
    return GatewayError(name, ERRORS[name].text.format(domain=domain, reason=reason, hosted=""), retry_after=retry_after)


def stopping() -> GatewayError:
    """This process ends, or leads no more: what it was asked for is to be asked again."""
    return GatewayError("link-down", "The gateway is stopping, or another node leads from now on; try again later")


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


UNSURE = frozenset(("link-lost", "session-broke", "unanswered", "iq-timeout", "client-gone"))
"""Errors after which what was asked may have been done."""
