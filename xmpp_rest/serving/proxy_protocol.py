"""The header of the PROXY protocol with which a connection may begin, where gunicorn's setting proxy_protocol says so."""

from __future__ import annotations

from typing import Any

from gunicorn.http import errors
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from xmpp_rest.serving.head_parser import refusal
from xmpp_rest.serving.request import BadRequest, Peer

_V1 = 107  # bytes of the longest header of version 1, CRLF included
_VARIABLES = {"REMOTE_ADDR": "client_addr", "REMOTE_PORT": "client_port", "PROXY_ADDR": "proxy_addr", "PROXY_PORT": "proxy_port"}


class ProxyHeader(Request):  # type: ignore[misc]
    """Reads it with gunicorn's parser as its bytes come.

    `variables`: what environ says of the client instead of the address of the connection.
    """

    def __init__(self, cfg: Any, peer: Peer) -> None:
        self.cfg = cfg
        self.peer_addr = peer
        self.proxy_protocol_info: dict[str, Any] = {}
        self.variables: dict[str, str] = {}
        self.due = True
        self._held = bytearray()

    @property
    def begun(self) -> bool:
        """Whether bytes of it are there, and it is not complete."""
        return self.due and bool(self._held)

    def feed(self, piece: bytes) -> bytes:
        """Read these bytes; returns what follows the header, once that is complete or there is none. Raises BadRequest."""
        self._held += piece
        if len(self._held) >= _V1 and self._held.startswith(b"PROXY ") and b"\r\n" not in self._held[:_V1]:
            raise BadRequest(400, "Bad Request", f"a PROXY line has at most {_V1} bytes")
        try:
            rest = self._handle_proxy_protocol(IterUnreader([]), self._held, self.cfg.proxy_protocol)
        except errors.NoMoreData:
            return b""
        except errors.ParseException as e:
            raise refusal(e) from None
        self.due = False
        info = self.proxy_protocol_info
        if info:
            self.variables["PROXY_PROTOCOL"] = info["proxy_protocol"]
            # LOCAL and UNSPEC say nothing of a client: it is that of the connection
            self.variables |= {name: str(info[key]) for name, key in _VARIABLES.items() if info[key] is not None}
        data = bytes(rest)
        self._held.clear()
        return data
