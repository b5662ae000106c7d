"""The body of a request in pieces, of any length, with bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xmpp_rest.http.encodings import BadEncoding, Inflater

PIECE = 64 << 10  # bytes that are read at once


class BrokenBody(Exception):
    """The body ended before its end, or is not what its fields say; the sentence says which."""


class BodyPieces:
    """What the client sends, read as it is needed. `coding`: one of http.encodings.CODINGS; "" for none.

    Neither the bounds of Werkzeug nor those of the gateway's other requests hold here: the caller counts.
    """

    def __init__(self, environ: Mapping[str, Any], coding: str = "") -> None:
        self._read = environ["wsgi.input"].read
        length = str(environ.get("CONTENT_LENGTH") or "")
        self.length = int(length) if length.isascii() and length.isdigit() else None
        """Bytes that were announced; None for a body in chunks."""
        self.is_coded = bool(coding)
        """Whether it is longer than it was announced, as it was compressed."""
        self._left = self.length if self.length is not None else 0
        self._has_end = self.length is None and bool(environ.get("wsgi.input_terminated"))
        self._inflater = Inflater(coding, self._received) if coding else None

    def read(self, size: int = PIECE) -> bytes:
        """The next bytes, at most so many; none at the end. Raises BrokenBody."""
        if self._inflater is None:
            return self._received(size)
        try:
            return self._inflater.read(size)
        except BadEncoding as e:
            raise BrokenBody(f"Content-Encoding: {e}") from e

    def _received(self, size: int) -> bytes:
        if self._has_end:  # RFC 9112 §7.1: in chunks, of which the server finds the last one
            return self._from_server(size)
        if not self._left:
            return b""
        data = self._from_server(min(size, self._left))
        if not data:
            raise BrokenBody("The body is shorter than its Content-Length; nothing was kept of it")
        self._left -= len(data)
        return data

    def _from_server(self, size: int) -> bytes:
        try:
            data: bytes = self._read(size)
        except Exception as e:  # ClientDisconnected of our worker, OSError, or whatever a server's parser raises
            raise BrokenBody("The body broke off; nothing was kept of it") from e
        return data
