"""A stream that is logged in, as it is handed to who keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.tls_socket import TlsSocket
from xmpp_rest.link.stream import StanzaStream
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CLIENT


class Resumption(NamedTuple):
    """Which stream is to be resumed (XEP-0198 §5): its id, and how many stanzas of the server were received on it."""

    id: str
    received: int


class StreamManagement(NamedTuple):
    """XEP-0198 is enabled."""

    id: str  # "": the stream cannot be resumed
    longest: float | None  # seconds for which the server keeps a broken stream; None: it does not say


class OpenedStream(NamedTuple):
    """A stream on which the account is bound, or an earlier one of it resumed. The caller closes the socket."""

    socket: TlsSocket  # does not block
    pending: bytes  # decrypted, not parsed
    early: Sequence[Element]  # stanzas that came after `bind` and before XEP-0198 was enabled, which does not count them
    header: bytes  # of the server, for the parser of what follows
    jid: JID  # full
    keys: ScramKeys | None  # None: the login was by PLAIN
    server: str  # "192.0.2.7:5223"
    tls: str  # "TLSv1.3"
    management: StreamManagement | None
    resumed: bool
    acknowledged: int  # after a resume: how many stanzas of ours the server had received

    def parser(self, on_stanza: Callable[[Element, int], None], limit: int, on_skipped: Callable[[Element, str], None]) -> StanzaStream:
        """What reads the stream from `pending` on. A stanza of more than `limit` bytes ends it: LinkDown, `stanza-too-big`."""
        return StanzaStream(on_stanza, limit, on_skipped, header=self.header, namespace=CLIENT, ends_beyond_limit=True)

    def __repr__(self) -> str:
        return f"<stream of {self.jid} at {self.server}>"
