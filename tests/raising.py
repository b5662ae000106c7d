"""What fails, in the place of what would not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def raising(error: BaseException | type[BaseException]) -> Callable[..., Any]:
    """A function that raises `error`, whatever it is called with."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
