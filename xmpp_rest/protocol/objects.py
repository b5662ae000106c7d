"""How do the bytes of JSON and CBOR become objects, and objects bytes, whatever a client sends? (RFC 8259, RFC 8949)"""

from __future__ import annotations

import io
import json
from typing import Any, NoReturn

import cbor2

MAX_DEPTH = 64  # arrays and objects inside each other


class BadObject(ValueError):
    """The bytes are no JSON or CBOR that stands for plain values; the sentence says what is wrong."""


def _no_constant(name: str) -> NoReturn:
    raise BadObject(f"{name} is no JSON")


_JSON = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises BadObject."""
    try:
        return _JSON.decode(body.decode("utf-8-sig"))
    except BadObject:
        raise
    except UnicodeDecodeError as e:
        raise BadObject(f"the JSON is not UTF-8: {e.reason} at byte {e.start}") from e
    except RecursionError as e:
        raise BadObject("the JSON is nested too deeply") from e
    except ValueError as e:  # JSONDecodeError, or a number of too many digits
        raise BadObject(f"the body is no JSON: {e}") from e


def write_json(value: Any) -> bytes:
    """JSON in UTF-8, without blanks."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def read_cbor(body: bytes) -> Any:
    """The value of one CBOR item; only what JSON could say, too. Raises BadObject."""
    stream = io.BytesIO(body)
    try:
        value = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORDecodeError, RecursionError, ValueError, MemoryError, OverflowError, TypeError) as e:
        raise BadObject(f"the body is no CBOR: {e}") from e
    if stream.read(1):
        raise BadObject("there is something behind the CBOR item")
    _require_plain(value, 0, set())
    return value


def _require_plain(value: Any, depth: int, seen: set[int]) -> None:
    """Refuse tags' values and byte strings, which JSON has no word for, and sharing, which would grow without bound in text."""
    if depth > MAX_DEPTH:
        raise BadObject("the CBOR is nested too deeply")
    if isinstance(value, dict | list):
        if id(value) in seen:
            raise BadObject("the CBOR shares a value (tag 29); write it out")
        seen.add(id(value))
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise BadObject("the keys of a CBOR map must be text")
            _require_plain(member, depth + 1, seen)
    elif isinstance(value, list):
        for member in value:
            _require_plain(member, depth + 1, seen)
    elif value is not None and not isinstance(value, str | int | float | bool):
        raise BadObject(f"{type(value).__name__} has no place in a stanza; use text, numbers, booleans, arrays and maps")


def write_cbor(value: Any) -> bytes:
    """One CBOR item."""
    return cbor2.dumps(value)
