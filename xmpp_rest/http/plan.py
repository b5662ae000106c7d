"""What can be known of every request to a class beforehand?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import conditional, negotiation, start
from .callbacks import Callback, defined_callbacks, needed
from .exchange import Exchange


@dataclass(frozen=True, slots=True)
class Plan:
    """The callbacks of a class, and the steps that they make necessary."""

    defined: Mapping[str, Callback]
    #: S1 to N6.
    steps: tuple[Callable[[Exchange], int], ...]
    #: G1 to G3.
    fields: tuple[Callable[[Exchange], int], ...]
    #: Whether a Response may be made without its constructor.
    shortcut: bool


def plan(cls: type, root: type, *, shortcut: bool) -> Plan:
    """The plan for ``cls``, whose callbacks are those it has from anywhere but ``root``."""
    defined = defined_callbacks(cls, root)
    return Plan(
        defined=defined,
        steps=needed(start.STEPS + negotiation.STEPS, defined),
        fields=needed(conditional.STEPS, defined),
        shortcut=shortcut,
    )
