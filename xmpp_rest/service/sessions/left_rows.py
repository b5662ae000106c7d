"""A session that was left, as a value that can be kept until the next owner reads it (many-machines §9)."""

from __future__ import annotations

import base64
from typing import Any

from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.left_session import LeftQueue, LeftSession, LeftStanza
from xmpp_rest.link.c2s.opened_stream import StreamManagement
from xmpp_rest.protocol.jid import parse_jid

Row = dict[str, Any]


def row_of(left: LeftSession) -> Row:
    """The session as JSON can have it. It says by what to log in."""
    mechanism, salt, iterations, client_key, server_key = left.keys
    return {
        "jid": str(left.jid),
        "keys": [mechanism, _text(salt), iterations, _text(client_key), _text(server_key)],
        "server": left.server,
        "tls": left.tls,
        "management": None if left.management is None else list(left.management),
        "since": left.since,
        "handled": left.handled,
        "queue": [left.queue.written, left.queue.acknowledged, [list(stanza) for stanza in left.queue.stanzas]],
    }


def left_in(row: Row) -> LeftSession:
    """What `row_of` has written. Raises whatever a row that is none makes it raise."""
    mechanism, salt, iterations, client_key, server_key = row["keys"]
    written, acknowledged, stanzas = row["queue"]
    return LeftSession(
        jid=parse_jid(row["jid"]),
        keys=ScramKeys(mechanism, _bytes(salt), iterations, _bytes(client_key), _bytes(server_key)),
        server=row["server"],
        tls=row["tls"],
        management=None if row["management"] is None else StreamManagement(*row["management"]),
        since=row["since"],
        handled=row["handled"],
        said=row["handled"],
        queue=LeftQueue(written, acknowledged, tuple(LeftStanza(*stanza) for stanza in stanzas)),
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
