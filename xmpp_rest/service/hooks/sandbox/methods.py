"""The methods of values that templates may call; there are no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from types import MappingProxyType
from typing import Any

from jinja2 import Undefined, UndefinedError
from jinja2.runtime import LoopContext
from jinja2.utils import Cycler

from xmpp_rest.service.hooks.sandbox.budget import Budget
from xmpp_rest.service.hooks.sandbox.errors import TemplateFailed
from xmpp_rest.service.hooks.sandbox.operators import narrow
from xmpp_rest.service.hooks.sandbox.values import key, measured, plain, text_of

COMPARED = 20_000_000
"""Length of a string times length of what is looked for in it: rfind, strip and others take as long as that."""
PARTS = 1000
"""Parts of a format."""
PARTED = 100_000
"""Characters of a string that is taken apart: each part takes 50 bytes and more."""

Method = Callable[..., Any]


def call_method(budget: Budget, value: Any, name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """What a method of a value gives. Raises TemplateFailed where there is none, or it would be too much."""
    if isinstance(value, Undefined):
        raise UndefinedError(f"{name}() of something that is not there")
    methods: Mapping[str, Method] = next((found for kind, found in _METHODS if isinstance(value, kind)), {})
    if name not in methods:
        raise TemplateFailed(f"a {type(value).__name__} has no method {name[:50]!r} here")
    budget.work()
    for each in (*args, *options.values()):
        measured(each, budget)
    return plain(methods[name](budget, value, *args, **options), budget)


def replace(budget: Budget, text: str, old: str, new: str, count: int | None = None) -> str:
    """str.replace."""
    text, old, new = text_of(text, budget), text_of(old, budget), text_of(new, budget)
    found = text.count(_short(old, text))
    times = found if count is None or count < 0 else min(found, count)
    budget.string(len(text) + times * max(len(new) - len(old), 0))
    return text.replace(old, new, times)


def join(budget: Budget, separator: str, values: Any) -> str:
    """The texts of values with a separator between them."""
    texts: list[str] = []
    length = 0
    for value in values:
        texts.append(text_of(value, budget))
        length += len(texts[-1]) + len(separator)
        budget.work()
        budget.string(length)
    return separator.join(texts)


def padded(name: str) -> Method:
    """A method that fills up to a width."""

    def run(budget: Budget, text: str, width: int, *fill: str) -> Any:
        budget.string(width)
        return getattr(text, name)(width, *fill)

    return run


def _format(budget: Budget, text: str, /, *args: Any, **options: Any) -> str:
    """str.format, without attributes and members of what is formatted."""
    parts = list(Formatter().parse(text[:PARTED]))
    for _, name, spec, _ in parts:
        narrow(spec or "")
        if name and not name.isidentifier() and not name.isdigit():
            raise TemplateFailed("a format may name values, not members of them")
    if len(parts) > PARTS:
        raise TemplateFailed("a format of too many parts")
    for each in (*args, *options.values()):
        budget.string(len(parts) * len(text_of(each, budget)))
    return text.format(*args, **options)


def _short(needle: Any, text: str) -> Any:
    if isinstance(needle, str) and len(needle) * len(text) > COMPARED:
        raise TemplateFailed("too long a string to look for")
    return needle


def _looks(name: str) -> Method:
    """A method that looks for something short in a string."""

    def run(budget: Budget, text: str, /, *args: Any, **options: Any) -> Any:
        budget.string(len(text))
        return getattr(text, name)(*(_short(each, text) for each in args), **options)

    return run


def _parts(name: str) -> Method:
    """A method that takes a string apart."""

    def run(budget: Budget, text: str, /, *args: Any, **options: Any) -> Any:
        if len(text) > PARTED:
            raise TemplateFailed(f"{name} of more than {PARTED} characters")
        found = getattr(text, name)(*(_short(each, text) for each in args), **options)
        budget.bytes(50 * len(found) + len(text))
        return found

    return run


_STRING: dict[str, Method] = {
    **{name: _looks(name) for name in (
        "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "islower",
        "isnumeric", "isprintable", "isspace", "istitle", "isupper", "lower", "lstrip", "removeprefix", "removesuffix", "rfind", "rindex",
        "rstrip", "startswith", "strip", "swapcase", "title", "upper",
    )},
    **{name: _parts(name) for name in ("partition", "rpartition", "rsplit", "split", "splitlines")},
    **{name: padded(name) for name in ("center", "ljust", "rjust", "zfill")},
    "format": _format,
    "join": join,
    "replace": replace,
}  # fmt: skip
_DICT: dict[str, Method] = {
    "get": lambda budget, value, name, default=None: value.get(key(name), default),
    "items": lambda budget, value: value.items(),
    "keys": lambda budget, value: value.keys(),
    "values": lambda budget, value: value.values(),
}
_LIST: dict[str, Method] = {
    "count": lambda budget, value, item: measured(value, budget) and value.count(item),
    "index": lambda budget, value, item: measured(value, budget) and value.index(item),
}
_LOOP: dict[str, Method] = {
    "cycle": lambda budget, loop, *values: loop.cycle(*values),
    "changed": lambda budget, loop, *values: loop.changed(*values),
}
_CYCLER: dict[str, Method] = {
    "next": lambda budget, cycler: cycler.next(),
    "reset": lambda budget, cycler: cycler.reset(),
}
_METHODS: tuple[tuple[type | tuple[type, ...], Mapping[str, Method]], ...] = (
    (str, MappingProxyType(_STRING)),
    (dict, MappingProxyType(_DICT)),
    ((list, tuple), MappingProxyType(_LIST)),
    (LoopContext, MappingProxyType(_LOOP)),
    (Cycler, MappingProxyType(_CYCLER)),
)
