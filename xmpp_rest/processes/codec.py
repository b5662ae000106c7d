"""ValueCodecs: the arguments and results of remote calls as JSON, chosen by the annotations of functions.

JSON values go as they are, JID and Element as text, a Wait as its seconds, an exception as `{"error": [name, sentence]}`, named tuples and
dataclasses as the list of their fields, and instances of a class that has `to_json` and `from_json` as these say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints
from xml.etree.ElementTree import Element

from xmpp_rest.errors import ERRORS, GatewayError, Row
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.threads.waits import Wait

ERROR = "error"  # the key of an exception
NO_MORE: tuple[Any, ...] = (None, "", None)  # of one whose row is the table's: row, `by`, and when to try again

_DEFAULTS = ("", "", *NO_MORE)


def write_error(error: GatewayError) -> list[Any]:
    """An exception as JSON."""
    more = (None if error.row is ERRORS[error.name] else list(error.row), error.by, error.given_retry_after)
    return [error.name, error.text, *(more if more != NO_MORE else ())]


def read_error(written: Sequence[Any]) -> GatewayError:
    """The exception that was written so."""
    name, text, row, by, retry_after = (*written, *_DEFAULTS[len(written) :])
    return GatewayError(name, text, Row(*row) if row else None, by, retry_after)


class ValueCodec(NamedTuple):
    """Writes values of one type as JSON, and reads them."""

    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


AS_IT_IS = ValueCodec(_same, _same)
_LEAVES: dict[Any, ValueCodec] = dict.fromkeys((Any, str, int, float, bool, None, NoneType, list, dict), AS_IT_IS) | {
    JID: ValueCodec(str, parse_jid),
    Element: ValueCodec(serialise, parse_stored),
    Wait: ValueCodec(lambda wait: wait.seconds, Wait),
}


class ValueCodecs:
    """Makes codecs. `named`: an exception as the GatewayError by which other processes know it."""

    def __init__(self, named: Callable[[Exception], GatewayError]) -> None:
        self._named = named

    def of(self, hint: Any) -> ValueCodec:
        """The codec for what is annotated so. Raises TypeError for what cannot be carried."""
        if hint in _LEAVES:
            return _LEAVES[hint]
        origin, inner = get_origin(hint), get_args(hint)
        if origin in (Union, UnionType):
            return self._union(inner)
        if origin in (list, Sequence):
            item = self.of(inner[0])
            return ValueCodec(lambda values: [item.to_json(v) for v in values], lambda values: [item.from_json(v) for v in values])
        if origin in (dict, Mapping):
            item = self.of(inner[1])
            return ValueCodec(lambda d: {k: item.to_json(v) for k, v in d.items()}, lambda d: {k: item.from_json(v) for k, v in d.items()})
        if origin is tuple:
            return _fields(lambda *values: values, tuple, [self.of(i) for i in inner])
        if hasattr(hint, "from_json"):
            return ValueCodec(hint.to_json, hint.from_json)
        if is_dataclass(hint):
            names = [field.name for field in fields(hint)]
            return _fields(hint, lambda value: [getattr(value, name) for name in names], self._of_fields(hint, names))
        if isinstance(hint, type) and issubclass(hint, tuple):
            return _fields(hint, tuple, self._of_fields(hint, hint._fields))  # type: ignore[attr-defined]  # a named tuple
        raise TypeError(f"{hint} cannot be carried to another process")

    def _of_fields(self, kind: Any, names: Sequence[str]) -> list[ValueCodec]:
        hints = _annotations(kind)
        return [self.of(hints[name]) for name in names]

    def _union(self, members: Sequence[Any]) -> ValueCodec:
        """One type, None, or an exception."""
        (other,) = [self.of(m) for m in members if m not in (Exception, NoneType)]

        def to_json(value: Any) -> Any:
            if isinstance(value, Exception):
                return {ERROR: write_error(self._named(value))}
            return None if value is None else other.to_json(value)

        def from_json(value: Any) -> Any:
            if isinstance(value, dict) and ERROR in value:
                return read_error(value[ERROR])
            return None if value is None else other.from_json(value)

        return ValueCodec(to_json, from_json)


def _fields(make: Any, values_of: Callable[[Any], Sequence[Any]], codecs: Sequence[ValueCodec]) -> ValueCodec:
    return ValueCodec(
        lambda value: [codec.to_json(v) for codec, v in zip(codecs, values_of(value), strict=True)],
        lambda values: make(*(codec.from_json(v) for codec, v in zip(codecs, values, strict=True))),
    )


@lru_cache(maxsize=256)
def _annotations(kind: Any) -> Mapping[str, Any]:
    """The annotations of a class, evaluated, as below."""
    return get_type_hints(kind)


@lru_cache(maxsize=256)
def _described(function: Callable[..., Any], bound: bool) -> tuple[dict[str, Any], inspect.Signature]:
    """The annotations of a function, evaluated, and its signature: 100 µs, and the same ones for each gateway of a process."""
    signature = inspect.signature(function)
    if bound:  # without `self`
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return get_type_hints(function), signature


class Signature:
    """How the arguments and the result of one function are carried."""

    def __init__(self, function: Callable[..., Any], codecs: ValueCodecs) -> None:
        hints, self._signature = _described(getattr(function, "__func__", function), hasattr(function, "__self__"))
        self._codecs = {name: codecs.of(hints.get(name, Any)) for name in self._signature.parameters}
        self.result = codecs.of(hints.get("return", Any))

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name. Raises TypeError."""
        return self._signature.bind(*args, **kwargs).arguments

    def to_json(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name as JSON. Raises BadXML for an element that cannot be written."""
        return {name: self._codecs[name].to_json(value) for name, value in arguments.items()}

    def from_json(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name from JSON."""
        return {name: self._codecs[name].from_json(value) for name, value in arguments.items()}
