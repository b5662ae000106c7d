"""Tells how the streams of the link are, each time that changes: for the status line of a service."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from xmpp_rest.api.gateway import Gateway

log = logging.getLogger("xmpp_rest.server")

PERIOD = 1.0  # seconds between two looks


class LinkWatch:
    """Looks at the streams of this process while it is the leader. `tell` gets a domain, and `online` or why its stream is not up."""

    def __init__(self, gateway: Gateway, tell: Callable[[str, str], None]) -> None:
        self._gateway = gateway
        self._tell = tell
        self._told: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="link watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        """Tell what has changed."""
        parts = self._gateway.parts
        if not parts.remote.group.is_leader:
            return
        for stream in parts.link_status():
            state = "online" if stream["state"] == "online" else stream["reason"] or stream["state"]
            if self._told.get(stream["domain"]) != state:
                self._told[stream["domain"]] = state
                self._tell(stream["domain"], state)

    def _run(self) -> None:
        wait = threading.Event()
        while not self._gateway.stopping:
            try:
                self.look()
            except Exception:
                log.exception("the state of the link cannot be told")
                return
            wait.wait(PERIOD)
