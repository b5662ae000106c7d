"""The tokens of Lua source (Lua 5.4 manual §3.1)."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from drivers import BadValue

# Possessive quantifiers: no input makes these look at a byte twice.
_TOKEN = re.compile(
    rb"""[ \t\r\n\f\v]*+(?:(?P<sign>[]{}()=,;/]|-(?!-)|\[(?!=*+\[))
    |(?P<string>"(?>[^"\\\r\n]++|\\z\s*+|\\\r\n|\\\n\r|\\.)*+"|'(?>[^'\\\r\n]++|\\z\s*+|\\\r\n|\\\n\r|\\.)*+')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*+)
    |(?P<number>0[xX](?:[0-9a-fA-F]++\.?[0-9a-fA-F]*+|\.[0-9a-fA-F]++)(?:[pP][+-]?[0-9]++)?
        |(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)
    |(?P<long>\[(?P<level>=*+)\[))""",
    re.VERBOSE | re.DOTALL,
)
_SIGNS = {sign.encode(): sign for sign in "]{}()=,;/-["}
_SPACE = re.compile(rb"[ \t\r\n\f\v]*+")
_COMMENT = re.compile(rb"--(?:\[(=*+)\[)?+")
_LINE = re.compile(rb"[^\r\n]*+")
_ESCAPE = re.compile(
    rb"""(?P<bytes>(?:\\[0-9]{3})++)|\\(?:(?P<plain>[abfnrtv\\"'])|(?P<decimal>[0-9]{1,2})|x(?P<hex>[0-9a-fA-F]{2})
    |u\{(?P<code>[0-9a-fA-F]++)\}|z\s*+|(?P<line>\r\n|\n\r|[\r\n])|(?P<wrong>.))""",
    re.VERBOSE | re.DOTALL,
)
_LINE_END = re.compile(rb"\r\n|\n\r|\r")
_PLAIN = dict(zip(b"abfnrtv\\\"'", b"\a\b\f\n\r\t\v\\\"'", strict=True))


class LuaError(BadValue):
    """The text is not a readable literal; `position` is the offset of the error in bytes."""

    def __init__(self, sentence: str, source: bytes, position: int) -> None:
        line = source.count(b"\n", 0, position) + 1
        super().__init__(f"line {line}: {sentence}")
        self.position = position


class LuaToken(NamedTuple):
    """`kind` is string, name, number, end, or the sign itself; `value` its bytes (a string's are unescaped)."""

    kind: str
    value: bytes
    start: int
    end: int


def token(source: bytes, position: int) -> LuaToken:
    """The token at or after `position`, spaces and comments skipped. Raises LuaError."""
    match = _TOKEN.match(source, position) or _TOKEN.match(source, skip(source, position))
    if match is None:
        start = skip(source, position)
        if start == len(source):
            return LuaToken("end", b"", start, start)
        raise LuaError(f"{source[start : start + 1]!r} cannot start anything in a literal", source, start)
    kind = str(match.lastgroup)
    start, end = match.span(kind)
    value = match[kind]
    if kind == "sign":
        return tuple.__new__(LuaToken, (_SIGNS[value], value, start, end))  # most tokens are these: a third of the time of Token()
    if kind == "long":
        return _long_string(source, start, match)
    if kind == "string":
        value = value[1:-1]
        if b"\\" in value:
            value = unescaped(value, source, start)
    return tuple.__new__(LuaToken, (kind, value, start, end))


def skip(source: bytes, position: int) -> int:
    """The end of spaces and comments at `position`. Raises LuaError for a comment without end."""
    while True:
        position = _SPACE.match(source, position).end()  # type: ignore[union-attr]
        comment = _COMMENT.match(source, position)
        if comment is None:
            return position
        if comment[1] is None:
            position = _LINE.match(source, comment.end()).end()  # type: ignore[union-attr]
        else:
            position = _long_end(source, comment.end(), comment[1])[1]


def _long_string(source: bytes, start: int, match: re.Match[bytes]) -> LuaToken:
    close, end = _long_end(source, match.end(), match["level"])
    text = _LINE_END.sub(b"\n", source[match.end() : close])
    return LuaToken("string", text.removeprefix(b"\n"), start, end)


def _long_end(source: bytes, position: int, level: bytes) -> tuple[int, int]:
    bracket = b"]" + level + b"]"
    close = source.find(bracket, position)
    if close < 0:
        raise LuaError(f"a long bracket is never closed by {bracket.decode()}", source, position)
    return close, close + len(bracket)


def unescaped(text: bytes, source: bytes, start: int) -> bytes:
    """The value of a quoted string in bytes. Raises LuaError with `start` in `source` as its position."""

    def refuse(why: str) -> NoReturn:
        raise LuaError(why, source, start)

    def replace(match: re.Match[bytes]) -> bytes:
        kind = match.lastgroup
        if kind == "bytes" or kind == "decimal":
            values = [int(digits) for digits in match[0].split(b"\\")[1:]]
            return bytes(values) if max(values) < 256 else refuse("a decimal escape ends at \\255")
        if kind == "plain":
            return bytes((_PLAIN[match[kind][0]],))
        if kind == "hex":
            return bytes((int(match[kind], 16),))
        if kind == "code":
            return _utf8(int(match[kind], 16)) or refuse("a \\u escape ends at 7FFFFFFF")
        if kind == "wrong":
            refuse(f"the escape sequence {match[0]!r} is not known")
        return b"\n" if kind == "line" else b""  # \z and the spaces after it

    return _ESCAPE.sub(replace, text)


def _utf8(code: int) -> bytes:
    """UTF-8 as first defined, up to 31 bits (Lua 5.4 manual §3.1); empty past them."""
    if code < 0x80:
        return bytes((code,))
    if code >= 1 << 31:
        return b""
    tail: list[int] = []
    first = 0x3F
    while code > first:
        tail.append(0x80 | code & 0x3F)
        code >>= 6
        first >>= 1
    return bytes(((~first << 1) & 0xFF | code, *reversed(tail)))
