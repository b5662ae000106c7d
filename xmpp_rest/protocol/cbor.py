"""A CBOR decoder for the subset that JSON can express (RFC 8949).

Other decoders act on tags (major type 6) while they decode: they compile regular expressions and compute big numbers. Here a tag is
refused by its first byte, and each byte costs a bounded time.
"""

from __future__ import annotations

import json
import struct
from math import isfinite
from typing import Any

import cbor2

from xmpp_rest.protocol.strict_json import write_json

MAX_DEPTH = 64  # arrays and maps inside each other

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _OTHER = range(8)  # major types, RFC 8949 §3.1
_INDEFINITE = 31
_BREAK = 0xFF
_SIMPLE = {20: False, 21: True, 22: None}
_FLOATS = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_REFUSED = {
    _BYTES: "a byte string has no place in a stanza; write text",
    _TAG: "tags have no place in a stanza; write the plain value",
}


class BadCBOR(ValueError):
    """The bytes are not CBOR, or hold something that JSON cannot express; the sentence says which."""


class _CBORReader:
    """Reads the bytes once, from start to end. Methods raise IndexError if the bytes are truncated."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def item(self, depth: int) -> Any:
        first = self._data[self.at]
        self.at += 1
        if first < 24:  # short items first, as long bodies mostly consist of them
            return first
        major, info = first >> 5, first & 31
        if major in _REFUSED:
            raise BadCBOR(f"{_REFUSED[major]} (byte {self.at - 1})")
        if major == _OTHER:
            return self._other(info)
        argument = info if info < 24 else self._argument(major, info)
        if major == _TEXT:
            return self._chunks() if argument is None else self._read_text(argument)
        if major == _ARRAY:
            return self._array(argument, depth)
        if major == _MAP:
            return self._map(argument, depth)
        return argument if major == _UNSIGNED else -1 - (argument or 0)

    def _argument(self, major: int, info: int) -> int | None:
        """The argument of an item, which may follow the first byte; None for an indefinite length."""
        if size := _ARGUMENT_BYTES.get(info):
            return int.from_bytes(self._read_bytes(size))
        if info == _INDEFINITE and major in (_TEXT, _ARRAY, _MAP):
            return None
        raise BadCBOR(f"no item starts like that at byte {self.at - 1}")

    def _read_bytes(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) < count:
            raise IndexError
        self.at += count
        return taken

    def _other(self, info: int) -> Any:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if form := _FLOATS.get(info):
            number: float = form.unpack(self._read_bytes(form.size))[0]
            if not isfinite(number):
                raise BadCBOR(f"{number} is not a number of JSON")
            return number
        raise BadCBOR(f"JSON has no word for the simple value at byte {self.at - 1}")

    def _read_text(self, size: int) -> str:
        try:
            return self._read_bytes(size).decode()
        except UnicodeDecodeError as e:
            raise BadCBOR(f"a text is not UTF-8: {e.reason} before byte {self.at}") from e

    def _chunks(self) -> str:
        """A text of indefinite length: texts of definite length, each of whole characters (RFC 8949 §3.2.3)."""
        chunks = []
        while not self._at_break():
            chunks.append(self._key("a text of indefinite length is made of texts", indefinite=False))
        return "".join(chunks)

    def _key(self, complaint: str, *, indefinite: bool = True) -> str:
        """The key of a map, which must be a text."""
        first = self._data[self.at]
        self.at += 1
        major, info = first >> 5, first & 31
        if major != _TEXT:
            raise BadCBOR(f"{_REFUSED.get(major, complaint)} (byte {self.at - 1})")
        argument = info if info < 24 else self._argument(major, info)
        if argument is not None:
            return self._read_text(argument)
        if not indefinite:
            raise BadCBOR(f"{complaint} (byte {self.at - 1})")
        return self._chunks()

    def _array(self, length: int | None, depth: int) -> list[Any]:
        below, item = _deeper(depth), self.item
        if length is None:
            items = []
            while not self._at_break():
                items.append(item(below))
            return items
        return [item(below) for _ in range(length)]  # whatever length it claims, the bytes limit it

    def _map(self, length: int | None, depth: int) -> dict[str, Any]:
        below = _deeper(depth)
        members: dict[str, Any] = {}
        while not self._at_break() if length is None else len(members) < length:
            name = self._key("the keys of a map must be text")
            if name in members:  # RFC 8949 §5.6
                raise BadCBOR(f"the key {name[:40]!r} is there twice")
            members[name] = self.item(below)
        return members

    def _at_break(self) -> bool:
        """Whether an indefinite length ends here; then the break is consumed."""
        if self._data[self.at] != _BREAK:
            return False
        self.at += 1
        return True


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise BadCBOR("it is nested too deeply")
    return depth + 1


def read_cbor(body: bytes) -> Any:
    """The value of the only item in `body`. Raises BadCBOR."""
    reader = _CBORReader(body)
    try:
        value = reader.item(0)
    except IndexError as e:
        raise BadCBOR("it breaks off") from e
    if reader.at < len(body):
        raise BadCBOR("trailing data after the CBOR item")
    return value


def write_cbor(value: Any) -> bytes:
    """One CBOR item."""
    try:
        return cbor2.dumps(value)
    except UnicodeEncodeError:  # half of a surrogate pair, in what is JSON inside a stanza
        return cbor2.dumps(json.loads(write_json(value)))
