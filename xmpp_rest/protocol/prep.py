"""Stringprep profiles of XMPP and SASL: prepare text for comparison (RFC 3454, RFC 3491, RFC 6122 A and B, RFC 4013).

Servers still use the RFC 3454 profiles with Unicode 3.2 tables, so PRECIS would disagree with them. Code points that Unicode 3.2
did not know (most emoji) pass, as in Prosody; ejabberd refuses them with an error of its own.
"""

from __future__ import annotations

import re
import stringprep as tables
from functools import cache, lru_cache
from unicodedata import ucd_3_2_0

MAX_BYTES = 1023  # RFC 6122 §2.1, for each part of an address


class PrepError(ValueError):
    """The text holds a character that the profile forbids; the sentence names it."""


# The tables of RFC 3454 as character classes: a search takes a hundredth of the time of calls of `stringprep` for each character.
_NOTHING = "\xad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff"  # B.1
_SPACES = "\xa0\u1680\u2000-\u200b\u202f\u205f\u3000"  # C.1.2
_CONTROL_ASCII = "\0-\x1f\x7f"  # C.2.1
_PROHIBITED = (
    _SPACES
    + "\x80-\x9f\u06dd\u070f\u180e\u200c\u200d\u2028\u2029\u2060-\u2063\u206a-\u206f\ufeff\ufff9-\ufffc\U0001d173-\U0001d17a"  # C.2.2
    + "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"  # C.3
    + "\ufdd0-\ufdef"  # C.4, and below
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "\ud800-\udfff"  # C.5
    + "\ufff9-\ufffd"  # C.6
    + "\u2ff0-\u2ffb"  # C.7
    + "\u0340\u0341\u200e\u200f\u202a-\u202e\u206a-\u206f"  # C.8
    + "\U000e0001\U000e0020-\U000e007f"  # C.9
)
_DROPPED = re.compile(f"[{_NOTHING}]+")
_OTHER_SPACE = re.compile(f"[{_SPACES}]")
_NOT_IN_DOMAIN = re.compile(f"[{_PROHIBITED}]")
_NOT_IN_RESOURCE = re.compile(f"[{_CONTROL_ASCII}{_PROHIBITED}]")
_NOT_IN_NODE = re.compile(f"[ \"&'/:<>@{_CONTROL_ASCII}{_PROHIBITED}]")  # RFC 6122 §A.5
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")  # where Unicode 3.2 has characters of table D.1
_CASED = (  # where Unicode 3.2 has characters that table B.2 maps to others
    (0x80, 0x3400), (0xA000, 0xAC00), (0xF900, 0x10000), (0x10400, 0x10450), (0x1D000, 0x1D800), (0x2F800, 0x2FA20),
)  # fmt: skip


@cache
def _folding() -> dict[int, str]:
    """Table B.2 of Unicode 3.2 for `str.translate`; that of the standard library uses today's tables and differs for 684 code points.

    Made for the first address beyond ASCII, in some hundredths of a second.
    """
    found = {code: chr(code).lower() for code in range(0x41, 0x5B)}
    for start, end in _CASED:
        for code in range(start, end):
            c = chr(code)
            if not tables.in_table_a1(c) and (folded := tables.map_table_b2(c)) != c and not any(map(tables.in_table_a1, folded)):
                found[code] = folded
    return found


def _check(text: str, prohibited: re.Pattern[str]) -> str:
    if bad := prohibited.search(text):
        raise PrepError(f"the character U+{ord(bad[0]):04X} is not allowed here")
    if not _RIGHT_TO_LEFT.search(text):  # the usual case
        return text
    directions = list(map(ucd_3_2_0.bidirectional, text))
    if "R" in directions or "AL" in directions:  # RFC 3454 §6: right-to-left text
        if "L" in directions:
            raise PrepError("left-to-right and right-to-left characters are mixed")
        if not {directions[0], directions[-1]} <= {"R", "AL"}:
            raise PrepError("right-to-left text must begin and end with a right-to-left character")
    return text


def _normalise(text: str, mapping: dict[int, str] | None = None) -> str:
    kept = _DROPPED.sub("", text)
    return ucd_3_2_0.normalize("NFKC", kept.translate(mapping) if mapping else kept)


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
    """A localpart, prepared for comparison (RFC 6122 §A). Raises PrepError."""
    _bounded(text)
    if _NODE_ASCII.fullmatch(text):
        return text.lower()
    return _check(_bounded(_normalise(text, _folding())), _NOT_IN_NODE)  # NFKC may make a text eighteen times as long


@lru_cache(maxsize=4096)
def nameprep(text: str) -> str:
    """A domainpart, prepared for comparison: RFC 3491 over U-labels, without a final dot (RFC 6122 §2.2). Raises PrepError."""
    _bounded(text)
    # The root label has no meaning, RFC 6122 §2.2; U+3002 and similar dots are label separators, RFC 3490 §3.1.
    folded = _normalise(text.replace("。", "."), _folding()) if not text.isascii() else text.lower()
    domain = _bounded(folded.removesuffix("."))
    if not text.isascii():
        _check(domain, _NOT_IN_DOMAIN)
    if not _DOMAIN.fullmatch(domain):
        raise PrepError("a domain is made of letters, digits, '-', '_' and '.'")
    if ".." in domain or domain.startswith(".") or domain.endswith("."):
        raise PrepError("a domain has no empty label")
    return domain


@lru_cache(maxsize=4096)
def resourceprep(text: str) -> str:
    """A resourcepart, prepared for comparison (RFC 6122 §B). Raises PrepError."""
    _bounded(text)
    if _RESOURCE_ASCII.fullmatch(text):
        return text
    return _check(_bounded(_normalise(text)), _NOT_IN_RESOURCE)


def saslprep(text: str) -> str:
    """A password, prepared for hashing and comparison (RFC 4013; code points unassigned in Unicode 3.2 pass). Raises PrepError."""
    _bounded(text)
    if _RESOURCE_ASCII.fullmatch(text):
        return text
    return _check(_bounded(_normalise(_OTHER_SPACE.sub(" ", _DROPPED.sub("", text)))), _NOT_IN_RESOURCE)
