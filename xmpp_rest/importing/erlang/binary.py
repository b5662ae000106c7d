"""Erlang's external term format (https://www.erlang.org/doc/apps/erts/erl_ext_dist), as `term_to_binary` writes data.

MongooseIM keeps archived messages in it. What only names things of a running node (processes, references, functions) is refused. Everything
is bounded: by the bytes that are there, by MAX_SIZE for what is packed, and by MAX_DEPTH.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from xmpp_rest.importing.erlang.terms import MAX_DEPTH, MAX_SIZE, Atom, BadTerm, Term, map_of

VERSION, COMPRESSED = 131, 80
MAX_BIG = 64  # bytes of an integer


def decode_term(data: bytes) -> Term:
    """The term that `data` is, from the version byte to the last. Raises BadTerm."""
    if not data.startswith(bytes((VERSION,))):
        raise BadTerm("this is not Erlang's external term format: the first byte is not 131")
    reader = _TermReader(_unpacked(data) if data[1:2] == bytes((COMPRESSED,)) else data[1:])
    term = reader.term(0)
    if reader.left():
        raise BadTerm(f"{reader.left()} bytes follow the term")
    return term


def _unpacked(data: bytes) -> bytes:
    """The term of a compressed one, which says how large it is (zlib)."""
    if len(data) < 6:
        raise BadTerm("the compressed term is cut off")
    size = int.from_bytes(data[2:6], "big")
    if size > MAX_SIZE:
        raise BadTerm(f"the compressed term says that it has {size} bytes; at most {MAX_SIZE} are read")
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data[6:], size + 1)
    except zlib.error as e:
        raise BadTerm(f"the compressed term cannot be unpacked: {e}") from e
    if len(found) != size or not unpacker.eof:
        raise BadTerm("the compressed term has another size than it says")
    return found


class _TermReader:
    """Reads terms from bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def left(self) -> int:
        return len(self._data) - self._at

    def term(self, depth: int) -> Term:
        if depth > MAX_DEPTH:
            raise BadTerm(f"the term is nested more than {MAX_DEPTH} deep")
        tag = self._number(1)
        if read := _PLAIN.get(tag):
            return read(self)
        if tag in (104, 105):  # SMALL_TUPLE_EXT, LARGE_TUPLE_EXT
            return tuple(self._several(self._count(1 if tag == 104 else 4), depth))
        if tag == 108:  # LIST_EXT
            items = list(self._several(self._count(4), depth))
            if self._number(1) != 106:  # NIL_EXT
                raise BadTerm("a list with a tail that is not a list is not data of a server")
            return items
        if tag == 116:  # MAP_EXT
            count = self._count(4)
            return map_of((self.term(depth + 1), self.term(depth + 1)) for _ in range(count))
        raise BadTerm(f"a term of the kind {tag} is not data of a server")

    def _several(self, count: int, depth: int) -> Iterator[Term]:
        return (self.term(depth + 1) for _ in range(count))

    def _count(self, size: int) -> int:
        """A number of terms, each of which takes a byte at least."""
        count = self._number(size)
        if count > self.left():
            raise BadTerm(f"{count} terms are announced, and {self.left()} bytes are left")
        return count

    def take(self, size: int) -> bytes:
        if size > self.left():
            raise BadTerm(f"{size} bytes are announced, and {self.left()} are left")
        self._at += size
        return self._data[self._at - size : self._at]

    def _number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self, size: int) -> bytes:
        """The bytes after their number, which takes `size` bytes."""
        return self.take(self._number(size))

    def signed(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def big(self, size: int) -> int:
        length, sign = self._number(size), self._number(1)
        if length > MAX_BIG:
            raise BadTerm(f"an integer has {length} bytes; at most {MAX_BIG} are read")
        return int.from_bytes(self.take(length), "little") * (-1 if sign else 1)


def _atom(size: int, encoding: str) -> Callable[[_TermReader], Atom]:
    def read(reader: _TermReader) -> Atom:
        try:
            return Atom(reader.sized(size).decode(encoding))
        except UnicodeDecodeError as e:
            raise BadTerm(f"an atom is not text: {e}") from e

    return read


def _old_float(reader: _TermReader) -> float:
    try:
        return float(reader.take(31).rstrip(b"\0"))
    except ValueError as e:
        raise BadTerm("a float is not one") from e


_PLAIN: dict[int, Callable[[_TermReader], Term]] = {
    70: lambda reader: struct.unpack(">d", reader.take(8))[0],  # NEW_FLOAT_EXT
    97: lambda reader: reader.take(1)[0],  # SMALL_INTEGER_EXT
    98: _TermReader.signed,  # INTEGER_EXT
    99: _old_float,  # FLOAT_EXT
    100: _atom(2, "latin-1"),  # ATOM_EXT
    106: lambda _: [],  # NIL_EXT
    107: lambda reader: list(reader.sized(2)),  # STRING_EXT: a list of bytes
    109: lambda reader: reader.sized(4),  # BINARY_EXT
    110: lambda reader: reader.big(1),  # SMALL_BIG_EXT
    111: lambda reader: reader.big(4),  # LARGE_BIG_EXT
    115: _atom(1, "latin-1"),  # SMALL_ATOM_EXT
    118: _atom(2, "utf-8"),  # ATOM_UTF8_EXT
    119: _atom(1, "utf-8"),  # SMALL_ATOM_UTF8_EXT
}
