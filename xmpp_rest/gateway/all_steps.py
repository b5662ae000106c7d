"""All steps of an end, whatever becomes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def take_all(steps: Iterable[Callable[[], object]]) -> None:
    """Take these in order, the later ones also where one before them fails. Raises what one has raised, or an ExceptionGroup of several."""
    errors = list[Exception]()
    for step in steps:
        try:
            step()
        except Exception as e:
            errors.append(e)
    if len(errors) > 1:
        raise ExceptionGroup("several parts have not ended as they should", errors)
    if errors:
        raise errors[0]
