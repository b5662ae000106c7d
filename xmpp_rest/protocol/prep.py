"""How is a text prepared before it is compared? The stringprep profiles of XMPP and SASL (RFC 3454, RFC 3491, RFC 6122 A and B, RFC 4013).

Servers still use the RFC 3454 profiles with Unicode 3.2 tables, so PRECIS would disagree with them. Code points that Unicode 3.2
did not know (most emoji) pass, as in Prosody; ejabberd refuses them with an error of its own.
"""

from __future__ import annotations

import re
import stringprep as tables
from collections.abc import Callable
from functools import lru_cache
from unicodedata import ucd_3_2_0

MAX_BYTES = 1023  # RFC 6122 §2.1, for each part of an address


class PrepError(ValueError):
    """The text holds something that the profile forbids; the sentence names it."""


Predicate = Callable[[str], bool]

_PROHIBITED: tuple[Predicate, ...] = (
    tables.in_table_c12,
    tables.in_table_c22,
    tables.in_table_c3,
    tables.in_table_c4,
    tables.in_table_c5,
    tables.in_table_c6,
    tables.in_table_c7,
    tables.in_table_c8,
    tables.in_table_c9,
)
_CONTROL_ASCII = tables.in_table_c21
_NODE_EXTRA = frozenset("\"&'/:<>@")  # RFC 6122 §A.5


def _fold(c: str) -> str:
    """Table B.2 as of Unicode 3.2; the stdlib's lowercases with today's tables, which 684 code points notice."""
    if tables.in_table_a1(c):
        return c
    folded = tables.map_table_b2(c)
    return c if any(map(tables.in_table_a1, folded)) else folded


def _check(text: str, prohibited: tuple[Predicate, ...], extra: frozenset[str]) -> str:
    for c in text:
        if c in extra or any(p(c) for p in prohibited):
            raise PrepError(f"the character U+{ord(c):04X} is not allowed here")
    if any(map(tables.in_table_d1, text)):  # RFC 3454 §6: right-to-left text
        if any(map(tables.in_table_d2, text)):
            raise PrepError("left-to-right and right-to-left characters are mixed")
        if not (tables.in_table_d1(text[0]) and tables.in_table_d1(text[-1])):
            raise PrepError("right-to-left text must begin and end with a right-to-left character")
    return text


def _normalise(text: str, mapping: Callable[[str], str]) -> str:
    mapped = "".join(mapping(c) for c in text if not tables.in_table_b1(c))
    return ucd_3_2_0.normalize("NFKC", mapped)


def _as_is(c: str) -> str:
    return c


_NODE_ASCII = re.compile(r"[!#$%()*+,\-.0-9;=?A-Z\[\\\]^_`a-z{|}~]+")
_RESOURCE_ASCII = re.compile(r"[ -~]+")
_DOMAIN = re.compile(r"\[[0-9a-f:.]+\]|[^\x00-,/:-@\[-^`{-\x7f]+")  # ASCII: letters, digits, hyphen, dot, underscore; or [IPv6]


def _bounded(text: str) -> str:
    if not text:
        raise PrepError("it is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as e:
        raise PrepError("it holds half of a surrogate pair") from e
    if size > MAX_BYTES:
        raise PrepError(f"it is longer than {MAX_BYTES} bytes")
    return text


@lru_cache(maxsize=4096)
def nodeprep(text: str) -> str:
    """A localpart as servers compare it (RFC 6122 §A). Raises PrepError."""
    _bounded(text)
    if _NODE_ASCII.fullmatch(text):
        return text.lower()
    prohibited = (tables.in_table_c11, _CONTROL_ASCII, *_PROHIBITED)
    return _bounded(_check(_normalise(text, _fold), prohibited, _NODE_EXTRA))


@lru_cache(maxsize=4096)
def nameprep(text: str) -> str:
    """A domainpart as servers compare it: RFC 3491 over U-labels, without a final dot (RFC 6122 §2.2). Raises PrepError."""
    _bounded(text)
    # The root label carries no meaning, RFC 6122 §2.2; U+3002 and its kin are label separators, RFC 3490 §3.1.
    folded = _normalise(text.replace("。", "."), _fold) if not text.isascii() else text.lower()
    domain = folded.removesuffix(".")
    if not text.isascii():
        _check(domain, _PROHIBITED, frozenset())
    if not _DOMAIN.fullmatch(_bounded(domain)):
        raise PrepError("a domain is made of letters, digits, '-', '_' and '.'")
    if ".." in domain or domain.startswith("."):
        raise PrepError("a domain has no empty label")
    return domain


@lru_cache(maxsize=4096)
def resourceprep(text: str) -> str:
    """A resourcepart as servers compare it (RFC 6122 §B). Raises PrepError."""
    _bounded(text)
    if _RESOURCE_ASCII.fullmatch(text):
        return text
    return _bounded(_check(_normalise(text, _as_is), (_CONTROL_ASCII, *_PROHIBITED), frozenset()))


def _space(c: str) -> str:
    return " " if tables.in_table_c12(c) else c


def saslprep(text: str) -> str:
    """A password as it is hashed and compared (RFC 4013; code points unassigned in Unicode 3.2 pass). Raises PrepError."""
    _bounded(text)
    if _RESOURCE_ASCII.fullmatch(text):
        return text
    return _bounded(_check(_normalise(text, _space), (_CONTROL_ASCII, *_PROHIBITED), frozenset()))
