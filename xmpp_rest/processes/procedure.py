"""Procedure: one function that other processes call by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from xmpp_rest.processes.codec import Signature
from xmpp_rest.processes.group import End, Message


class Procedure(NamedTuple):
    """One function that is called by name, and how its arguments are carried."""

    run: Callable[..., Any]
    signature: Signature
    deferred: Callable[..., End | None] | None = None
    repeatable: bool = False
    of_node: bool = False

    def run_carried(self, arguments: Message) -> Any:
        """Run it with arguments in JSON."""
        return self.run(**self.signature.from_json(arguments))
