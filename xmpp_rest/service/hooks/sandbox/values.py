"""The values that templates work with: how large they are, and their text.

Lists may hold one list many times, and that another: `[a, a]` twenty times over has a million places. So nothing looks at a whole value
(its text, an order, equality, a hash) before `measured` has counted its places, each as often as it can be seen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jinja2 import Undefined

from xmpp_rest.service.hooks.sandbox.budget import DEPTH, Budget
from xmpp_rest.service.hooks.sandbox.errors import TemplateFailed

SCALARS = (str, bool, int, float, type(None), Undefined)
CONTAINERS = (list, tuple, dict, range)


class Size(NamedTuple):
    """Places of a value, characters of its strings, and levels."""

    places: int
    characters: int
    depth: int


def measured(value: Any, budget: Budget) -> Size:
    """The size of a value, counted as work. Raises TemplateFailed where it is too large, or is not one that JSON has."""
    if isinstance(value, str):
        budget.string(len(value))
        return Size(1, len(value), 0)
    if isinstance(value, SCALARS):
        budget.work()
        return Size(1, _digits(value), 0)
    if not isinstance(value, CONTAINERS):
        raise TemplateFailed(f"a {type(value).__name__} cannot be used here")
    return _of_container(value, budget)


def _of_container(value: Any, budget: Budget) -> Size:
    places = characters = deepest = 0
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        budget.work(1 + len(each))
        if depth > DEPTH:
            raise TemplateFailed("values that are too deep")
        deepest = max(deepest, depth)
        places += 1 + len(each)
        if isinstance(each, range):
            characters += 20 * len(each)
            continue
        if isinstance(each, dict):
            characters += sum(len(key) for key in each if isinstance(key, str))
        for item in each.values() if isinstance(each, dict) else each:
            if isinstance(item, str):
                characters += len(item)
            elif isinstance(item, CONTAINERS):
                waiting.append((item, depth + 1))
            elif isinstance(item, SCALARS):
                characters += _digits(item)
            else:
                raise TemplateFailed(f"a {type(item).__name__} cannot be used here")
        budget.string(characters)
    return Size(places, characters, deepest)


def _digits(value: Any) -> int:
    """About how many characters a number has as text."""
    return value.bit_length() // 3 + 1 if isinstance(value, int) else 24 if isinstance(value, float) else 0


def text_of(value: Any, budget: Budget) -> str:
    """A value as it is printed; nothing for what is undefined or null. Raises TemplateFailed."""
    if isinstance(value, str):
        return value if type(value) is str else str.__str__(value)
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    measured(value, budget)
    return str(budget.took(repr(value)))


def plain(value: Any, budget: Budget) -> Any:
    """What a filter or a method gives, as one of the values above: iterators and views become lists."""
    if isinstance(value, SCALARS):
        if isinstance(value, str) and type(value) is not str:
            value = str.__str__(value)
        return budget.took(value)
    if isinstance(value, list | tuple | dict):
        budget.work(len(value))
        return budget.took(value)
    if isinstance(value, range):
        return value
    if hasattr(value, "__iter__"):
        return budget.took(list(counted(value, budget)))
    raise TemplateFailed(f"a {type(value).__name__} cannot be used here")


def counted(value: Any, budget: Budget) -> Any:
    """The items of a value one after the other, each counted as a step of a loop."""
    for item in value:
        budget.loop()
        yield item


def key(value: Any) -> Any:
    """A value as the key of a dict: a scalar, as the hash of nested tuples takes as long as they have places."""
    if not isinstance(value, SCALARS):
        raise TemplateFailed("a key must be a string or a number")
    return value
