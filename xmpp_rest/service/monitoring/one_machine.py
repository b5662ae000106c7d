"""The cluster of a gateway that has none: one machine."""

from __future__ import annotations

from typing import Any

from xmpp_rest.config.table import Settings
from xmpp_rest.metrics.families import Figures

NONE = "this gateway is on one machine: [cluster] kind is none"


class OneMachine:
    """In place of `cluster.control.NodeControl`; nothing can be changed."""

    draining = False
    grace: float = 0.0
    owner_elsewhere: str = ""

    def gauges(self) -> Figures:
        return {}

    def configure(self, settings: Settings) -> None:
        """Nobody compares them."""

    def figures(self) -> dict[str, Any]:
        return {"kind": "none"}

    def living(self) -> list[str]:
        return []

    def move(self, domain: str, node: str) -> str:  # nor can anything else be done
        return NONE

    def drain(self) -> str:
        return NONE

    def undrain(self) -> str:
        return NONE

    def forget(self, node: str) -> str:
        return NONE
