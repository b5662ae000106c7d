"""Parses ordinary heads with llhttp; what it refuses, or what is not ordinary, is for gunicorn's parser (decision 0034)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import httptools

from xmpp_rest.serving.head_parser import HeadParser, closes
from xmpp_rest.serving.host import is_host
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.request import Field, Peer, RequestHead

_ORDINARY = re.compile(
    rb"([!$%&'*+\-.^_`|~0-9A-Z]{3,20}) (/[\x21\x22\x24-\x7e]*) HTTP/1\.([01])\r\n"  # an origin-form without a fragment
    rb"(?:[!#$%&'*+\-.^`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+"  # no `_` in a name: settings decide on it
    rb"\r\n"
)
_VERSIONS = {b"0": (1, 0), b"1": (1, 1)}


@lru_cache(maxsize=1024)
def _upper(name: bytes) -> str:
    return name.decode("latin-1").upper()


class _Found:
    """Receives what llhttp finds in one head."""

    __slots__ = ("ends", "fields")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.ends = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.ends += 1


class LlhttpHeadParser(HeadParser):
    """llhttp, given one complete head at a time."""

    def __init__(self, cfg: Any, limits: Limits) -> None:
        super().__init__(cfg, limits)
        self._small = min(limits.request_line, limits.field_size)
        self._fields = limits.fields
        self._decided_elsewhere = frozenset({"EXPECT", "TRANSFER-ENCODING", *cfg.secure_scheme_headers})
        self._scheme = "https" if cfg.is_ssl else "http"

    def parse(self, raw: bytes, peer: Peer) -> RequestHead:
        return self._ordinary(raw) or super().parse(raw, peer)

    def _ordinary(self, raw: bytes) -> RequestHead | None:
        """A head with nothing special about it; None for all others."""
        if len(raw) > self._small or not (line := _ORDINARY.fullmatch(raw)):
            return None
        found = _Found()
        try:
            httptools.HttpRequestParser(found).feed_data(raw)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        fields: list[Field] = [(_upper(name), value.decode("latin-1").strip(" \t")) for name, value in found.fields]
        if found.ends != 1 or not len(fields) == raw.count(b"\r\n") - 2 <= self._fields:  # not counted: request line, empty line
            return None
        by_name = dict(fields)
        if len(by_name) != len(fields) or not self._decided_elsewhere.isdisjoint(by_name):
            return None
        version = _VERSIONS[line[3]]
        host = by_name.get("HOST")
        if not (is_host(host) if host is not None else version == (1, 0)):
            return None
        length = by_name.get("CONTENT-LENGTH")
        if length is not None and not (length.isascii() and length.isdigit()):
            return None
        return RequestHead(
            line[1].decode("latin-1"),
            line[2].decode("latin-1"),
            version,
            fields,
            scheme=self._scheme,
            keeps_alive=not closes([by_name["CONNECTION"]], version) if "CONNECTION" in by_name else version == (1, 1),
            expects_continue=False,
            length=None if length is None else int(length),
            chunked=False,
        )
