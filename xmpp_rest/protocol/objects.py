"""Turns the bytes of JSON and CBOR into plain values, and values into bytes, whatever a client sends (RFC 8259, RFC 8949)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, NoReturn

import cbor2

from xmpp_rest.protocol.cbor import BadCBOR
from xmpp_rest.protocol.cbor import read_cbor as _read_cbor

MAX_DEPTH = 128  # arrays and objects inside each other


class BadObject(ValueError):
    """The bytes are not JSON or CBOR that stands for plain values; the sentence says what is wrong."""


def _no_constant(name: str) -> NoReturn:
    raise BadObject(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):  # RFC 8259 §6: beyond what a double can hold
        raise BadObject(f"the number {text[:40]} is too large")
    return number


_JSON = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_json(body: bytes, decoder: json.JSONDecoder = _JSON) -> Any:
    """The value of a JSON text in UTF-8, perhaps after a byte order mark (RFC 8259 §8.1). Raises BadObject.

    Nesting is bounded, so that code that walks over the value need not count. `decoder`: one of `json_decoder`.
    """
    try:
        value = decoder.decode(body.decode("utf-8-sig"))
    except BadObject:
        raise
    except UnicodeDecodeError as e:
        raise BadObject(f"the JSON is not UTF-8: {e.reason} at byte {e.start}") from e
    except RecursionError as e:
        raise BadObject("the JSON is nested too deeply") from e
    except ValueError as e:  # JSONDecodeError, or a number of too many digits
        raise BadObject(f"the body is not JSON: {e}") from e
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:  # else it cannot be that deep
        _require_shallow(value)
    return value


def json_decoder(parse_int: Callable[[str], int | float]) -> json.JSONDecoder:
    """A decoder for `read_json` that reads integers in this way, and as infinite what no double can hold."""
    return json.JSONDecoder(parse_constant=_no_constant, parse_int=parse_int)


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise BadObject("the JSON is nested too deeply")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def write_json(value: Any) -> bytes:
    """JSON in UTF-8, without blanks."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def read_cbor(body: bytes) -> Any:
    """The value of one CBOR item; only what JSON could say too. Raises BadObject."""
    try:
        return _read_cbor(body)
    except BadCBOR as e:
        raise BadObject(f"the body is not CBOR: {e}") from e


def write_cbor(value: Any) -> bytes:
    """One CBOR item."""
    try:
        return cbor2.dumps(value)
    except UnicodeEncodeError:  # half of a surrogate pair, in what is JSON inside a stanza
        return cbor2.dumps(json.loads(write_json(value)))
