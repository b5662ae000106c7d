"""The operators of templates, bounded before they compute."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from xmpp_rest.service.hooks.sandbox.budget import BITS, Budget
from xmpp_rest.service.hooks.sandbox.errors import TemplateFailed
from xmpp_rest.service.hooks.sandbox.values import measured

WIDTH = 1000
"""What a width or precision in a format may be at most."""
WIDTHS = re.compile(r"\d+|\*|\{")
NUMBERS = (int, float)


def add(budget: Budget, left: Any, right: Any) -> Any:
    """Numbers, strings, lists and tuples."""
    for kind in (str, list, tuple):
        if isinstance(left, kind) and isinstance(right, kind):
            budget.string(len(left) + len(right))
            budget.bytes(8 * (len(left) + len(right)) if kind is not str else 0)
    return budget.took(left + right)


def multiply(budget: Budget, left: Any, right: Any) -> Any:
    """Numbers, and strings and lists so many times."""
    for value, times in ((left, right), (right, left)):
        if isinstance(value, str | list | tuple):
            if not isinstance(times, int):
                raise TemplateFailed("a string or a list can be multiplied by a whole number only")
            length = len(value) * max(times, 0)
            budget.string(length)
            budget.bytes(8 * length if not isinstance(value, str) else 0)
            return budget.took(value * times)
    _numbers(left, right)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > BITS:
        raise TemplateFailed("a number of too many digits")
    return budget.took(left * right)


def power(budget: Budget, left: Any, right: Any) -> Any:
    """Numbers."""
    _numbers(left, right)
    if isinstance(left, int) and isinstance(right, int) and max(left.bit_length(), 1) * abs(right) > BITS:
        raise TemplateFailed("a number of too many digits")
    return budget.took(left**right)


def modulo(budget: Budget, left: Any, right: Any) -> Any:
    """The remainder of numbers, or the format of a string."""
    if isinstance(left, str):
        return percent(budget, left, right)
    _numbers(left, right)
    return budget.took(left % right)


def percent(budget: Budget, text: str, values: Any) -> str:
    """`%s` and the like, with widths up to WIDTH."""
    size = measured(values, budget)
    parts = text.split("%")
    budget.string(len(text) + size.characters * (len(parts) if isinstance(values, dict) else 1))
    if len(parts) > WIDTH:
        raise TemplateFailed("a format of too many parts")
    for part in parts[1:]:
        narrow(re.match(r"(\([^)]*\))?([-+ #0]*[\d*]*(\.[\d*]*)?)", part)[2])  # type: ignore[index]  # it matches anything
    return str(budget.took(text % values))


def narrow(spec: str) -> None:
    """Refuses a format with a great width, or one that values give."""
    for found in WIDTHS.findall(spec):
        if not found.isdigit() or len(found) > 9 or int(found) > WIDTH:
            raise TemplateFailed(f"a width of more than {WIDTH} in a format")


def _with_numbers(compute: Callable[[Any, Any], Any]) -> Callable[[Budget, Any, Any], Any]:
    def run(budget: Budget, left: Any, right: Any) -> Any:
        _numbers(left, right)
        return budget.took(compute(left, right))

    return run


def _numbers(*values: Any) -> None:
    if not all(isinstance(value, NUMBERS) for value in values):
        raise TemplateFailed("an operator wants numbers, and got something else")


OPERATORS: Mapping[str, Callable[[Budget, Any, Any], Any]] = MappingProxyType(
    {
        "+": add,
        "-": _with_numbers(operator.sub),
        "*": multiply,
        "/": _with_numbers(operator.truediv),
        "//": _with_numbers(operator.floordiv),
        "%": modulo,
        "**": power,
    }
)
