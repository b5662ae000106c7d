"""How does a process that does not own the link ask for what the rooms do? By name, with JSON in and out (decision 0007)."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Ask = Callable[[str, list[Any]], Any]
"""(method, arguments) → its result, from the process that owns the link. Raises GatewayError."""


class Placed(Protocol):
    """A service of which one process has the state; `away` is how others ask it, None in that process."""

    away: Ask | None


S = TypeVar("S", bound=Placed)
OFFERED = "offered"


def offered(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Run this method where the state is. Its arguments are positional; they and the result are JSON values: lists, no tuples."""

    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.away is None:
            return method(self, *args, **kwargs)
        if kwargs:
            raise TypeError(f"{method.__name__} takes positional arguments only")
        result: R = self.away(method.__name__, list(args))
        return result

    update_wrapper(run, method)
    setattr(run, OFFERED, True)
    return run


def perform(service: Placed, method: str, arguments: list[Any]) -> Any:
    """Run an offered method that another process has asked for. Raises ValueError for any other name."""
    run = getattr(type(service), method, None)
    if not getattr(run, OFFERED, False):
        raise ValueError(f"{method} is not offered to other processes")
    return getattr(service, method)(*arguments)
