"""Scalar types of the mapping: convert the text of an element or attribute to one JSON value and back (json-mapping §1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.protocol.jsonmap.exceptions import BadAddress, MappingError

MAX_DIGITS = 64  # of a number as text; no field of XMPP comes near
LARGEST = 2**63  # integers beyond this do not fit the XML Schema types that XMPP uses (xs:long and smaller)
LONGEST_JID = 3 * 1023 + 2  # RFC 6122 §2.1: three parts of at most 1023 bytes, an `@` and a `/`
_EXACT = 2**53  # beyond it a double cannot represent every integer

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2 Char
_INTEGER = re.compile(r"[+-]?[0-9]+")
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Scalar(NamedTuple):
    """One type: `read` returns None if the text holds no such value, `write` if the value is of another type."""

    name: str
    read: Callable[[str], Any]
    write: Callable[[Any], str | None]  # raises MappingError for a value of the type that XML cannot hold


def forbidden(text: str) -> str:
    """The first character of `text` that XML 1.0 cannot hold, as `U+0007`; "" if there is none."""
    if text.isprintable():  # printable characters are allowed, and this takes a tenth of the time of the search
        return ""
    bad = _FORBIDDEN.search(text)
    return f"U+{ord(bad[0]):04X}" if bad else ""


def _read_string(text: str) -> str:
    return text


def _write_string(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if bad := forbidden(value):
        raise MappingError(f"the character {bad} is not allowed in XML; leave it out")
    return value


def read_number(text: str) -> int | float | None:
    """The number in `text`, as Lua's `tonumber` reads it (`12`, `0.5`, `1e3`, `0x10`); None if it is not a number."""
    text = text.strip(" \t\n\r\f\v")
    if len(text) > MAX_DIGITS:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    if number.is_integer() and abs(number) < _EXACT:
        return int(number)
    return number if abs(number) < float("inf") else None


def _number(value: Any) -> int | float | None:
    """`value` if it is a number, or the number in a string; None for anything else."""
    if isinstance(value, str):  # forms have only strings
        return read_number(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bounded(number: int) -> str:
    if not -LARGEST <= number < LARGEST:
        raise MappingError("the number is too large; give one of at most 64 bits")
    return str(number)


def _write_integer(value: Any) -> str | None:
    number = _number(value)
    if number is None:
        return None
    if isinstance(number, float):
        if not number.is_integer():  # also infinity and not-a-number
            raise MappingError("give a whole number")
        number = int(number)
    return _bounded(number)


def write_number(value: Any) -> str | None:
    """`value` as the shortest decimal that reads as the same number; None if it is not a number. Raises MappingError."""
    number = _number(value)
    if isinstance(number, float):
        if number.is_integer() and abs(number) < _EXACT:
            return str(int(number))
        if number != number or abs(number) == float("inf"):
            raise MappingError("give a finite number")
        return repr(number)
    return None if number is None else _bounded(number)


_BOOLEANS = {"false": False, "0": False}  # XML Schema §3.2.2; any other text is true


def _read_boolean(text: str) -> bool:
    return _BOOLEANS.get(text, True)


def _write_boolean(value: Any) -> str | None:
    return str(int(value)) if isinstance(value, bool) else None


@lru_cache(maxsize=8192)
def _prepared(text: str) -> str | None:
    try:
        return str(parse_jid(text))
    except InvalidJID:
        return None


def _read_jid(text: str) -> str | None:
    return _prepared(text) if len(text) <= LONGEST_JID else None  # a longer text is not an address, and must not fill the cache


def _write_jid(value: Any) -> str:
    if not isinstance(value, str):
        raise BadAddress("give an XMPP address as a string, such as 'juliet@capulet.example/balcony'")
    if (address := _read_jid(value)) is not None:
        return address
    try:
        return str(parse_jid(value))
    except InvalidJID as e:
        raise BadAddress(f"no XMPP address: {e}; give one such as 'juliet@capulet.example/balcony'") from e


STRING = Scalar("string", _read_string, _write_string)
INTEGER = Scalar("integer", read_number, _write_integer)
NUMBER = Scalar("number", read_number, write_number)
BOOLEAN = Scalar("boolean", _read_boolean, _write_boolean)
ADDRESS = Scalar("address", _read_jid, _write_jid)
