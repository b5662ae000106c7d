"""A session that one process has left, without an end, so that another one goes on with it: its server keeps it meanwhile (XEP-0198 §5)."""

from __future__ import annotations

from typing import NamedTuple

from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.opened_stream import StreamManagement
from xmpp_rest.protocol.jid import JID


class LeftStanza(NamedTuple):
    """A stanza of ours, which nobody waits for, and of which it is not known whether the server has it."""

    number: int  # on the stream; 0: it was not written
    kind: str  # message, presence, iq
    text: str

    def __repr__(self) -> str:
        return f"<{self.kind} {self.number}>"  # the text has what people write


class LeftQueue(NamedTuple):
    """What we have sent."""

    written: int  # stanzas of ours on the stream
    acknowledged: int  # of them, known to be received
    stanzas: tuple[LeftStanza, ...]
    lost: int = 0  # stanzas of this kind besides, which are too many


class LeftSession(NamedTuple):
    """All that another process needs. It says by what to log in, so it is kept as a password is."""

    jid: JID  # full
    keys: ScramKeys
    server: str  # "192.0.2.7:5223"
    tls: str  # "TLSv1.3"
    management: StreamManagement | None
    since: float  # Unix time of the login
    handled: int  # stanzas of the server that were received on the stream; in a row: those that it is not to repeat
    said: int  # of them, those that the server knows to be here, so that it repeats none of them
    queue: LeftQueue

    def __repr__(self) -> str:
        return f"<session of {self.jid}, left>"
