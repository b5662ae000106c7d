"""The filters and tests of templates: Jinja2's own, those that could take long or enlarge by functions of ours, and a few more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from jinja2.filters import FILTERS, do_batch, do_indent, do_round, sync_do_slice
from jinja2.tests import TESTS
from markupsafe import escape

from xmpp_rest.service.hooks.characters import cut
from xmpp_rest.service.hooks.sandbox import methods
from xmpp_rest.service.hooks.sandbox.budget import STRING, Budget
from xmpp_rest.service.hooks.sandbox.errors import TemplateFailed
from xmpp_rest.service.hooks.sandbox.operators import NUMBERS, WIDTH, add, percent
from xmpp_rest.service.hooks.sandbox.values import CONTAINERS, counted, measured, plain, text_of

Function = Callable[..., Any]
ROWS = 10_000
"""What a number of rows or columns may be at most."""
WORDS = 20_000
"""Characters of a string that is taken apart into words."""
LEFT_OUT = frozenset({"attr", "urlize", "xmlattr"})
"""Jinja2's filters that make HTML, or reach behind values."""
LIGHT = frozenset({"default", "d", "length", "count", "first", "last", "random"})
"""Filters that do not look at the whole value."""
OVER_ITEMS = frozenset({"map", "select", "reject", "selectattr", "rejectattr", "list", "items", "reverse", "batch", "slice"})
"""Filters that look at each item of the value, and not into it."""
ITERATES = OVER_ITEMS | {"sort", "unique", "groupby", "max", "min"}
"""Filters for which a string is a list of its characters, each of which takes up to 80 bytes."""
LIGHT_TESTS = frozenset({
    "defined", "undefined", "none", "boolean", "false", "true", "integer", "float", "string", "mapping", "number", "sequence", "iterable",
    "callable", "sameas", "filter", "test",
})  # fmt: skip


def bounded_filters(budget: Callable[[], Budget], slack: Callable[[str], str]) -> dict[str, Function]:
    """All filters, by name. `budget`: that of the rendering at work; `slack`: Slack's markup as text."""
    own: dict[str, Any] = {name: _with_budget(function, budget) for name, function in _OWN.items()}
    own["slack"] = _with_budget(lambda b, value: slack(text_of(value, b)[:WORDS]), budget)
    return {name: _filter(name, own.get(name) or FILTERS[name], budget) for name in (FILTERS.keys() | own.keys()) - LEFT_OUT}


def bounded_tests(budget: Callable[[], Budget]) -> dict[str, Function]:
    """All tests, by name."""
    own: dict[str, Any] = {
        "odd": lambda value: _number(value) % 2 == 1,
        "even": lambda value: _number(value) % 2 == 0,
        "divisibleby": lambda value, by: _number(value) % _number(by) == 0,
        "in": lambda value, inside: _found(value, inside),
    }
    return {name: _test(name, own.get(name, function), budget) for name, function in TESTS.items() if name != "escaped"}


def _with_budget(function: Function, budget: Callable[[], Budget]) -> Function:
    return lambda *args, **options: function(budget(), *args, **options)


def _filter(name: str, function: Any, budget: Callable[[], Budget]) -> Function:
    """The filter, with its arguments counted before it computes, and its result after."""
    passed = 1 if hasattr(function, "jinja_pass_arg") else 0  # the first argument is the context, or the environment
    whole = 0 if name in LIGHT | OVER_ITEMS else 1

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        now = budget()
        if name in OVER_ITEMS and isinstance(args[passed], CONTAINERS):
            now.work(len(args[passed]))
        if name in ITERATES and isinstance(args[passed], str):
            now.work(len(args[passed]))
        for each in (*args[passed + (not whole) :], *options.values()):
            measured(each, now)
        now.work()
        return plain(function(*args, **options), now)

    return run


def _test(name: str, function: Function, budget: Callable[[], Budget]) -> Function:
    passed = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        now = budget()
        now.work()
        if name not in LIGHT_TESTS:
            for each in (*args[passed:], *options.values()):
                measured(each, now)
        return function(*args, **options)

    return run


def _number(value: Any) -> Any:
    if not isinstance(value, NUMBERS):
        raise TemplateFailed("a number was expected, and something else given")
    return value


def _found(value: Any, inside: Any) -> bool:
    return value in inside


def _within(value: Any, most: int) -> int:
    if not isinstance(value, int) or not -most <= value <= most:
        raise TemplateFailed(f"a number of at most {most} was expected")
    return value


def _words(text: str) -> str:
    if len(text) > WORDS:
        raise TemplateFailed(f"more than {WORDS} characters to take apart")
    return text


def _members(budget: Budget, values: Any, attribute: Any) -> Iterator[Any]:
    """The members of values that an attribute names, such as `labels.instance`."""
    parts = [] if attribute is None else text_of(attribute, budget).split(".")
    for value in values:
        budget.work(1 + len(parts))
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        yield value


def _sum(budget: Budget, values: Any, attribute: Any = None, start: Any = 0) -> Any:
    total = _number(start)
    for value in _members(budget, values, attribute):
        total = add(budget, total, _number(value))
    return total


def _join(budget: Budget, values: Any, d: Any = "", attribute: Any = None) -> str:
    return methods.join(budget, text_of(d, budget), _members(budget, values, attribute))


def _indent(budget: Budget, value: Any, width: Any = 4, first: bool = False, blank: bool = False) -> str:
    text = text_of(value, budget)
    _within(width if isinstance(width, int) else len(width), WIDTH)
    budget.string(len(text) + (text.count("\n") + 1) * (width if isinstance(width, int) else len(width)))
    return do_indent(text, width, first, blank)


def _json(budget: Budget, value: Any, indent: int | None = None) -> str:
    size = measured(value, budget)
    by = 0 if indent is None else _within(indent, 8)
    budget.string(size.characters + size.places * (2 + by * size.depth))
    return json.dumps(value, ensure_ascii=False, indent=indent, default=lambda each: text_of(each, budget))


def _truncate(budget: Budget, value: Any, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 5) -> str:
    text = text_of(value, budget)
    if len(text) <= _within(length, STRING) + leeway:
        return text
    text = text[: max(length - len(end), 0)]
    return (text if killwords else text.rsplit(" ", 1)[0]) + end


def _wordwrap(budget: Budget, value: Any, width: int = 79, break_long_words: bool = True, wrapstring: str = "\n") -> str:
    """Lines of at most so many characters, broken at spaces."""
    if _within(width, STRING) < 1:
        raise TemplateFailed("a width of at least 1 was expected")
    lines = []
    for line in _words(text_of(value, budget)).splitlines():
        now = ""
        for word in line.split(" "):
            if now and len(now) + 1 + len(word) > width:
                lines.append(now)
                now = word
            else:
                now = f"{now} {word}" if now else word
            while break_long_words and len(now) > width:
                lines.append(now[:width])
                now = now[width:]
        lines.append(now)
    return methods.join(budget, text_of(wrapstring, budget), lines)


def _striptags(budget: Budget, value: Any) -> str:
    """Text without what stands between < and >."""
    parts = _words(text_of(value, budget)).split("<")
    return " ".join((parts[0] + "".join(part.partition(">")[2] for part in parts[1:])).split())


def _rows(budget: Budget, values: Any, rows: int, fill: Any, into: Function) -> Any:
    found = list(counted(values, budget))
    budget.bytes(64 * (len(found) + abs(_within(rows, ROWS))))
    return into(found, rows, fill)


def _round(_: Budget, value: Any, precision: int = 0, method: Any = "common") -> Any:
    return do_round(_number(value), _within(precision, 300), method)


def _first_line(budget: Budget, value: Any) -> str:
    return next((line for line in text_of(value, budget)[:WORDS].splitlines() if line.strip()), "").strip()


def _quote(budget: Budget, value: Any) -> str:
    return methods.replace(budget, "> " + text_of(value, budget), "\n", "\n> ")


_OWN: Mapping[str, Function] = MappingProxyType(
    {
        "batch": lambda b, value, n, fill=None: _rows(b, value, n, fill, do_batch),
        "slice": lambda b, value, n, fill=None: _rows(b, value, n, fill, sync_do_slice),
        "center": lambda b, value, width=80: methods.padded("center")(b, text_of(value, b), width),
        "cut": lambda b, value, n=300: cut(text_of(value, b), max(_within(n, STRING), 1)),
        "e": lambda b, value: str(escape(text_of(value, b))),
        "escape": lambda b, value: str(escape(text_of(value, b))),
        "first_line": _first_line,
        "forceescape": lambda b, value: str(escape(text_of(value, b))),
        "format": lambda b, text, *args, **options: percent(b, text_of(text, b), options or args),
        "indent": _indent,
        "join": _join,
        "pprint": lambda b, value: text_of(value, b),
        "quote": _quote,
        "replace": lambda b, text, old, new, count=None: methods.replace(b, text, old, new, count),
        "round": _round,
        "safe": lambda b, value: text_of(value, b),
        "string": lambda b, value: text_of(value, b),
        "striptags": _striptags,
        "sum": _sum,
        "title": lambda b, value: FILTERS["title"](_words(text_of(value, b))),
        "tojson": _json,
        "trim": lambda b, value, *chars: methods.call_method(b, text_of(value, b), "strip", chars, {}),
        "truncate": _truncate,
        "wordcount": lambda b, value: len(_words(text_of(value, b)).split()),
        "wordwrap": _wordwrap,
    }
)
