"""Parsers of Accept, Accept-Language, Accept-Charset and Content-Type (RFC 9110 §12.5, §8.3).

Everything here is cached, in bounded caches that hold no long field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar

#: Parameters of a media type, in the order they were written.
Params = tuple[tuple[str, str], ...]

#: No weight given: the weight in thousandths (RFC 9110 §12.4.2).
FULL = 1000

#: Longer fields are parsed each time, so that the caches stay small.
CACHEABLE = 300
CACHE_SIZE = 512

_TCHAR = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_WEIGHT = r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?"
TOKEN = re.compile(f"{_TCHAR}+")

_BLANKS = re.compile("[ \t]*")
_SEPARATORS = re.compile("[ \t,]*")
_RANGE = re.compile(f"({_TCHAR}+)/({_TCHAR}+)|\\*")
_QUOTED = r'"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)"'
_PARAMETER = re.compile(f"[ \t]*;[ \t]*(?:({_TCHAR}+)(?:=(?:({_TCHAR}+)|{_QUOTED}))?)?")
_ACCEPT_WEIGHT = re.compile(rf"{_WEIGHT}|\.[0-9]{{1,3}}")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

# RFC 9110 §12.5.2 and §12.5.4. A ";" without a weight after it separates members, as old browsers wrote it.
_LOOSE_SEPARATORS = re.compile("(?:[ \t,]|;(?![ \t]*[qQ]=))*")
_LOOSE_MEMBER = f"[ \t]*(?:;[ \t]*[qQ]=({_WEIGHT})[ \t]*)?(?=[,;]|\\Z)"
_LANGUAGE = re.compile(rf"(\*|[A-Za-z]{{1,8}}(?:-[A-Za-z0-9]{{1,8}})*){_LOOSE_MEMBER}")
_CHARSET = re.compile(f"({_TCHAR}+){_LOOSE_MEMBER}")


class Malformed(ValueError):
    """A field of the request that its grammar does not allow."""


class MediaRange(NamedTuple):
    """A member of Accept; ``weight`` in thousandths."""

    type: str
    subtype: str
    params: Params
    weight: int


class Weighted(NamedTuple):
    """A member of Accept-Language or Accept-Charset, lower case; ``weight`` in thousandths."""

    name: str
    weight: int


_T = TypeVar("_T")


def cached(parse: Callable[[str], _T]) -> Callable[[str], _T]:
    """Remember what a pure function makes of the text of a field."""
    remembered = lru_cache(maxsize=CACHE_SIZE)(parse)

    def look_up(text: str) -> _T:
        return remembered(text) if len(text) <= CACHEABLE else parse(text)

    return look_up


@cached
def parse_accept(text: str) -> tuple[MediaRange, ...]:
    """The media ranges of an Accept field (RFC 9110 §12.5.1). Raises Malformed."""
    ranges = []
    position = _skip(_SEPARATORS, text, 0)
    while position < len(text):
        media_range, position = _media_range(text, position)
        ranges.append(media_range)
        position = _next_member(text, position)
    return tuple(ranges)


@cached
def parse_media_type(text: str) -> tuple[str, str, Params]:
    """Type, subtype and parameters of one media type (RFC 9110 §8.3.1). Raises Malformed."""
    match = _RANGE.match(text.strip(" \t"))
    if match is None or match[1] is None:
        raise Malformed(f"{text!r} is not a media type")
    params, _, position = _parameters(match.string, match.end(), weighted=False)
    if position < len(match.string):
        raise Malformed(f"{text!r} is not a media type")
    return match[1].lower(), match[2].lower(), params


def parse_languages(text: str) -> tuple[Weighted, ...]:
    """The language ranges of an Accept-Language field (RFC 9110 §12.5.4). Raises Malformed."""
    return _loose_list(_LANGUAGE, text)


def parse_charsets(text: str) -> tuple[Weighted, ...]:
    """The charsets of an Accept-Charset field (RFC 9110 §12.5.2). Raises Malformed."""
    return _loose_list(_CHARSET, text)


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _next_member(text: str, position: int) -> int:
    """Where the next member of a list starts; only blanks may stand between a member and its comma."""
    position = _skip(_BLANKS, text, position)
    if position < len(text) and text[position] != ",":
        raise Malformed(f"{text!r} has trailing data after a member at {position}")
    return _skip(_SEPARATORS, text, position)


def _media_range(text: str, position: int) -> tuple[MediaRange, int]:
    match = _RANGE.match(text, position)
    if match is None:
        raise Malformed(f"{text!r} has no media range at {position}")
    # A bare "*" is what Java's URLConnection sends for "*/*".
    main, sub = ("*", "*") if match[1] is None else (match[1].lower(), match[2].lower())
    params, weight, position = _parameters(text, match.end(), weighted=True)
    params = tuple((name, value.lower() if name == "charset" else value) for name, value in params)
    return MediaRange(main, sub, params, weight), position


def _parameters(text: str, position: int, *, weighted: bool) -> tuple[Params, int, int]:
    """Parameters from ``position`` on, the weight among them, and where they end."""
    params: list[tuple[str, str]] = []
    weight: int | None = None
    while (match := _PARAMETER.match(text, position)) is not None:
        position = match.end()
        if match[1] is None:
            continue
        name = match[1].lower()
        if weighted and name == "q":
            weight = _accept_weight(text, match, weight)
        elif match[2] is not None or match[3] is not None:
            params.append((name, match[2] if match[2] is not None else _ESCAPE.sub(r"\1", match[3])))
        elif weight is None:
            raise Malformed(f"{text!r} has the parameter {name!r} without a value")
    return tuple(params), FULL if weight is None else weight, position


def _accept_weight(text: str, match: re.Match[str], earlier: int | None) -> int:
    if earlier is not None or match[2] is None or _ACCEPT_WEIGHT.fullmatch(match[2]) is None:
        raise Malformed(f"{text!r} has an invalid weight")
    return _thousandths(match[2])


def _thousandths(weight: str) -> int:
    whole, _, fraction = weight.partition(".")
    return int(whole or "0") * FULL + int(fraction.ljust(3, "0"))


def _loose_list(member: re.Pattern[str], text: str) -> tuple[Weighted, ...]:
    members = []
    position = _skip(_LOOSE_SEPARATORS, text, 0)
    while position < len(text):
        match = member.match(text, position)
        if match is None:
            raise Malformed(f"{text!r} has no member that can be read at {position}")
        members.append(Weighted(match[1].lower(), FULL if match[2] is None else _thousandths(match[2])))
        position = _skip(_LOOSE_SEPARATORS, text, match.end())
    return tuple(members)
