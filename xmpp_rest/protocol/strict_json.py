"""Strict JSON (RFC 8259): what a client sends is JSON in UTF-8 and of bounded depth, or it is refused in one sentence."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterable
from math import isfinite
from typing import Any, NoReturn

MAX_DEPTH = 128  # arrays and objects inside each other
MAX_DIGITS = 30
"""Of an integer where numbers may be infinite; longer ones are past 64 bits anyway, and Python refuses to convert thousands of digits."""


class BadJSON(ValueError):
    """The bytes are not JSON that stands for plain values; the sentence says what is wrong."""


def read_json(body: bytes, *, finite: bool = True) -> Any:
    """The value of a JSON text in UTF-8, perhaps after a byte order mark (RFC 8259 §8.1). Of equal names the last counts. Raises BadJSON.

    Nesting is bounded, so that code that walks over the value need not count. `finite`: a number that no double can hold is refused;
    else it is infinite, and an integer of many digits is a float.
    """
    try:
        value = (_FINITE if finite else _ANY_NUMBER).decode(body.removeprefix(BOM_UTF8).decode())  # the codec utf-8-sig is not in C
    except BadJSON:
        raise
    except UnicodeDecodeError as e:
        raise BadJSON(f"the JSON is not UTF-8: {e.reason} at byte {e.start}") from e
    except RecursionError as e:
        raise BadJSON("the JSON is nested too deeply") from e
    except ValueError as e:  # JSONDecodeError, or a number of too many digits
        raise BadJSON(f"the body is not valid JSON: {e}") from e
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:  # else it cannot be that deep
        _require_shallow(value)
    return value


def write_json(value: Any) -> bytes:
    """JSON in UTF-8, without blanks."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def _no_constant(name: str) -> NoReturn:
    raise BadJSON(f"{name} is not valid JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not isfinite(number):  # RFC 8259 §6: beyond what a double can hold
        raise BadJSON(f"the number {text[:40]} is too large")
    return number


def _any_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


_FINITE = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite_float)
_ANY_NUMBER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_any_integer)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise BadJSON("the JSON is nested too deeply")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
