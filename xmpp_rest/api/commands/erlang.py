"""JSON values in Erlang syntax, for messages about arguments (commands-api §7)."""

from __future__ import annotations

from decimal import Decimal
from operator import itemgetter
from typing import Any

MAX_BYTES = 4096  # of a text; the message about it is four times as long
MAX_ELEMENTS = 100  # of a list or map
MAX_DEPTH = 16
MAX_LENGTH = 20_000  # characters of the whole
CUT = "..."  # as Erlang's ~P
WORDS = {None: "null", True: "true", False: "false"}


def term(value: Any) -> str:
    """`value` in Erlang notation; what is very long or deep is cut."""
    text = _term(value, MAX_DEPTH)
    return text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + CUT


def _term(value: Any, depth: int) -> str:
    match value:
        case None | bool():
            return WORDS[value]
        case str():
            return _binary(value)
        case float():
            return _float(value)
        case list() | dict() if not depth:
            return CUT
        case list():
            return f"[{','.join(_cut([_term(v, depth - 1) for v in value[: MAX_ELEMENTS + 1]]))}]"
        case dict():
            members = sorted(value.items(), key=itemgetter(0))[: MAX_ELEMENTS + 1]
            return "#{" + ",".join(_cut([f"{_binary(k)} => {_term(v, depth - 1)}" for k, v in members])) + "}"
    return str(value)


def _cut(parts: list[str]) -> list[str]:
    return parts if len(parts) <= MAX_ELEMENTS else [*parts[:MAX_ELEMENTS], CUT]


def _binary(text: str) -> str:
    octets = text[:MAX_BYTES].encode()[:MAX_BYTES]
    return f"<<{','.join(map(str, octets))}>>"


def printed(text: str) -> str:
    """A binary as Erlang prints it to people: with letters where it has only those that it knows."""
    plain = text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
    return f'<<"{text}">>' if plain else _binary(text)


def _float(value: float) -> str:
    """The shorter of decimal and scientific notation, with the digits that are needed to read the same number back."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, minus = "".join(map(str, digits)), "-" if sign else ""
    if not value:
        return f"{minus}0.0"
    point = len(text) + int(exponent)  # digits before the decimal point
    if 0 < point < len(text):
        return f"{minus}{text[:point]}.{text[point:]}"
    plain = f"{text}{'0' * (point - len(text))}.0" if point > 0 else f"0.{'0' * -point}{text}"
    scientific = f"{text[0]}.{text[1:] or '0'}e{point - 1}"
    return minus + min(plain, scientific, key=len)
