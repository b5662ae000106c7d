"""How does Erlang write a JSON value? In messages about arguments (spec commands-api §7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

MAX_BYTES = 4096  # of a text; the message about it is four times as long
WORDS = {None: "null", True: "true", False: "false"}


def term(value: Any) -> str:
    """`value` in Erlang notation; very long texts are cut."""
    match value:
        case None | bool():
            return WORDS[value]
        case str():
            return _binary(value)
        case float():
            return _float(value)
        case list():
            return f"[{','.join(map(term, value))}]"
        case dict():
            return "#{" + ",".join(f"{_binary(k)} => {term(v)}" for k, v in sorted(value.items())) + "}"
    return str(value)


def _binary(text: str) -> str:
    octets = text[:MAX_BYTES].encode()[:MAX_BYTES]
    return f"<<{','.join(map(str, octets))}>>"


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
