"""Writes Erlang's external term format, for databases that tests make."""

from __future__ import annotations

import struct
import zlib

from xmpp_rest.importing.erlang.terms import Atom, Term


def encode_term(term: Term, *, compressed: bool = False) -> bytes:
    """`term_to_binary`, of the kinds that stanzas need."""
    body = _encoded(term)
    if compressed:
        return b"\x83P" + struct.pack(">I", len(body)) + zlib.compress(body)
    return b"\x83" + body


def element(name: str, attributes: dict[str, str], *children: Term, old: bool = False) -> Term:
    """An element as exml keeps it; `old`: with a list of attributes."""
    pairs = [(key.encode(), value.encode()) for key, value in attributes.items()]
    return (Atom("xmlel"), name.encode(), pairs if old else dict(pairs), list(children))


def cdata(text: str, *, old: bool = False) -> Term:
    """Text in an element."""
    content = (Atom("xmlcdata"), text.encode())
    return content if old else (*content, Atom("escaped"))


def _encoded(term: Term) -> bytes:
    if isinstance(term, Atom):
        return b"w" + bytes((len(term.encode()),)) + term.encode()
    if isinstance(term, bytes):
        return b"m" + struct.pack(">I", len(term)) + term
    if isinstance(term, int):
        return b"a" + bytes((term,)) if 0 <= term < 256 else b"b" + struct.pack(">i", term)
    if isinstance(term, tuple):
        return b"h" + bytes((len(term),)) + b"".join(map(_encoded, term))
    if isinstance(term, list):
        return b"l" + struct.pack(">I", len(term)) + b"".join(map(_encoded, term)) + b"j" if term else b"j"
    return b"t" + struct.pack(">I", len(term)) + b"".join(_encoded(key) + _encoded(value) for key, value in term.items())
