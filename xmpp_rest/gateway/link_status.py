"""LinkStatus: how the streams of all hosted domains are, where these have several owners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class TellsStreams(Protocol):
    """The leader of some domains."""

    def status(self) -> list[dict[str, Any]]:
        """How their streams are. Raises GatewayError."""


class LinkStatus:
    """Asks all of them."""

    def __init__(self, first: TellsStreams, others: Sequence[TellsStreams]) -> None:
        """`first`: whose streams are told first."""
        self._leaders = (first, *others)

    def __call__(self) -> list[dict[str, Any]]:
        """Raises GatewayError: one of the owners cannot be asked."""
        return [stream for leader in self._leaders for stream in leader.status()]
