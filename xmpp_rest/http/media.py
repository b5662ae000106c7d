"""Media types as a resource names them: reads, compares and writes them (RFC 9110 §8.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from .fields import CACHE_SIZE, TOKEN, Malformed, Params, parse_media_type


class MediaType(NamedTuple):
    """A type that a resource provides or accepts; ``params`` is "*" when any parameters will do."""

    type: str
    subtype: str
    params: Params | Literal["*"]

    @property
    def essence(self) -> str:
        return f"{self.type}/{self.subtype}"

    @property
    def own_params(self) -> Params:
        return () if self.params == "*" else self.params

    def __str__(self) -> str:
        return self.essence + "".join(f"; {name}={quote(value)}" for name, value in self.own_params)


def quote(value: str) -> str:
    """A parameter's value as a token if it is one, else as a quoted string (RFC 9110 §5.6.6)."""
    if TOKEN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def comparable(params: Params) -> frozenset[tuple[str, str]]:
    """Parameters without their order; the value of ``charset`` is the one without case (RFC 9110 §8.3.2)."""
    return frozenset((name, value.lower() if name == "charset" else value) for name, value in params)


def freeze(entry: object) -> object:
    """The type of an entry as something a cache can look up. Raises TypeError when it is neither str nor triple."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, tuple) or len(entry) != 3:
        raise TypeError(f"a media type must be a str or (type, subtype, parameters), not {entry!r}")
    main, sub, params = entry
    if params == "*":
        return entry
    if isinstance(params, str):
        raise TypeError(f'the parameters of {entry!r} must be "*", pairs or a dict')
    pairs = params.items() if isinstance(params, dict) else params
    return main, sub, tuple([(name, value) for name, value in pairs])


@lru_cache(maxsize=CACHE_SIZE)
def read_types(frozen: tuple[object, ...]) -> tuple[MediaType, ...]:
    """What :func:`freeze` made of each entry, parsed. Raises ValueError for a wildcard or what is not a media type."""
    return tuple(map(_read_type, frozen))


@lru_cache(maxsize=CACHE_SIZE)
def read_accepted(frozen: tuple[object, ...]) -> tuple[MediaType | None, ...]:
    """As :func:`read_types`, with None for a bare "*", which accepts everything."""
    return tuple(None if entry == "*" else _read_type(entry) for entry in frozen)


def types_of(entries: Sequence[tuple[Any, Any]]) -> tuple[object, ...]:
    """The types of a list of ``(type, callback)``, frozen."""
    return tuple([entry if entry.__class__ is str else freeze(entry) for entry, _ in entries])


def _read_type(entry: Any) -> MediaType:
    if isinstance(entry, str):
        main, sub, params = _read_text(entry)
    else:
        main, sub, params = entry
        if not (_is_token(main) and _is_token(sub)):
            raise ValueError(f"{entry!r} is not a media type: type and subtype must be tokens")
        main, sub = main.lower(), sub.lower()
        params = params if params == "*" else _read_params(entry, params)
    if "*" in (main, sub):
        raise ValueError(f"{entry!r} is a media range: a resource must name the types it deals in")
    return MediaType(main, sub, params)


def _read_text(entry: str) -> tuple[str, str, Params]:
    try:
        return parse_media_type(entry)
    except Malformed as error:
        # Not the client's fault, which Malformed stands for.
        raise ValueError(f"{entry!r} is not a media type such as 'text/html;level=1'") from error


def _is_token(value: object) -> bool:
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def _read_params(entry: object, params: Params) -> Params:
    for name, value in params:
        if not _is_token(name) or not isinstance(value, str):
            raise ValueError(f"{entry!r} has a parameter that is not a pair (name, value) of str")
    return tuple((name.lower(), value) for name, value in params)
