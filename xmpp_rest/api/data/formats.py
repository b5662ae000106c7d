"""Formats of values, read and written: JSON and Lua table text (data-api §1.7, §3)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from drivers import Value
from drivers.lua import LuaError, parse, serialise
from xmpp_rest.protocol.strict_json import BadJSON, read_json

SMALL = 2000  # values, or pieces of text of eight characters


class UnreadableBody(ValueError):
    """The body is not what its media type says; the sentence says why."""


class BodyFormat(NamedTuple):
    """Media type, a reader of bodies (raises UnreadableBody), a writer of values (raises BadValue for what storage cannot have written)."""

    type: tuple[str, str]
    read: Callable[[bytes], Value]
    write: Callable[[Value], bytes]

    @property
    def media_type(self) -> str:
        return "/".join(self.type)


def _read_json(body: bytes) -> Value:
    try:
        value: Value = read_json(body, finite=False)
    except BadJSON as e:
        raise UnreadableBody(f"The body cannot be read: {e}") from e
    return value


def _read_lua(body: bytes) -> Value:
    try:
        value = parse(body)
    except LuaError as e:
        raise UnreadableBody(f"The body is not a Lua literal: {e}") from e
    if value is None:  # COMPAT mod_data_access: `nil` is not a value, JSON's null is one
        raise UnreadableBody("The body is nil; write a table such as { a = 1 }")
    return value


def _write_json(value: Value) -> bytes:
    text = _encode(_plain(value, _json_number))
    try:
        return text.encode()
    except UnicodeEncodeError:
        # bytes that were not UTF-8 are lone surrogates here, which only escapes can carry (RFC 8259 §8.2)
        return json.dumps(json.loads(text), separators=(",", ":")).encode()


def _write_lua(value: Value) -> bytes:
    return serialise(_plain(value, lambda number: number)).encode()


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _json_number(number: float) -> float | None:
    # COMPAT mod_data_access: up to 14 significant digits
    return float(f"{number:.14g}") if math.isfinite(number) else None


def _plain(value: Value, number: Callable[[float], Any]) -> Value:
    """The value with members in order, so that equal contents are equal bodies, and its floats as `number` has them."""
    if isinstance(value, dict):
        return {key: _plain(value[key], number) for key in sorted(value)}
    if isinstance(value, list):
        return [_plain(item, number) for item in value] or {}  # an empty table is neither, and written {}
    return number(value) if isinstance(value, float) else value


def is_small(value: Value) -> bool:
    """Whether writing the value costs next to nothing. Looks at no more of it than that would cost."""
    left, budget = [value], SMALL
    while left and budget > 0:
        item = left.pop()
        budget -= len(item) // 8 + 1 if isinstance(item, str) else 1
        if isinstance(item, dict | list):
            budget -= len(item)
            left += islice(item.values() if isinstance(item, dict) else item, SMALL)
    return budget > 0


FORMATS = {
    "json": BodyFormat(("application", "json"), _read_json, _write_json),
    "lua": BodyFormat(("text", "x-lua"), _read_lua, _write_lua),
}
BY_MEDIA_TYPE = {form.media_type: form for form in FORMATS.values()}


def entity_tag(body: bytes) -> str:
    """The strong entity tag of a representation (RFC 9110 §8.8.3): equal for equal bodies only."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def entity_tags(content: Value | None) -> frozenset[str]:
    """Those of all representations of what is in a store; none where there is nothing."""
    return frozenset() if content is None else frozenset(entity_tag(form.write(content)) for form in FORMATS.values())
