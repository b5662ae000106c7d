"""Tells how the streams of the link are, each time that changes: for the status line of a service."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.config.spread import owned_with
from xmpp_rest.errors import GatewayError

log = logging.getLogger("xmpp_rest.server")

PERIOD = 1.0  # seconds between two looks


class LinkWatch:
    """Looks at the streams of this process while it is the leader, and who owns them while another node does.

    `tell` gets a domain, and `online` or why its stream is not up.
    """

    def __init__(self, gateway: Gateway, tell: Callable[[str, str], None]) -> None:
        self._gateway = gateway
        self._tell = tell
        self._told: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="link watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        """Tell what has changed."""
        for domain, state in self._states():
            if self._told.get(domain) != state:
                self._told[domain] = state
                self._tell(domain, state)

    def _states(self) -> list[tuple[str, str]]:
        parts, settings = self._gateway.parts, self._gateway.settings
        if parts.remote.group.is_leader:
            return [(stream["domain"], _state_of(stream)) for stream in parts.link_status()]
        owner = parts.cluster.owner_elsewhere if settings.link.kind != "none" else ""
        return [(domain, f"at node {owner}") for domain in owned_with(settings, settings.gateway.domain)] if owner else []

    def _run(self) -> None:
        wait = threading.Event()
        while not self._gateway.stopping:
            try:
                self.look()
            except GatewayError as e:  # it leads no longer, or the parts are just replaced
                log.debug("the state of the link is not known: %s", e)
            except Exception:
                log.exception("the state of the link cannot be told")
                return
            wait.wait(PERIOD)


def _state_of(stream: Mapping[str, Any]) -> str:
    return "online" if stream["state"] == "online" else str(stream["reason"] or stream["state"])
