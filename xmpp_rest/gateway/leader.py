"""What only the leader runs: the link to the XMPP server, the inbound queue, the callbacks, the clearing of unused rooms."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.intake import Intake
from xmpp_rest.link.router import Router
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.callbacks.routes import Callbacks
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.muc.conference import Conference

log = logging.getLogger(__name__)


class Leader:
    """The work of the leader in one process. `begin` is called once the process leads; a process never gives the role back."""

    def __init__(
        self,
        settings: Settings,
        domains: list[str],
        data_dir: Path,
        router: Router,
        sending: Sending,
        outcomes: Outcomes,
        intake: Intake,
        callbacks: Callbacks,
        conference: Conference | None,
        incidents: Incidents,
        remote: Remote,
    ) -> None:
        self._settings = settings
        self._domains = domains
        self._data_dir = data_dir
        self._router = router
        self._sending = sending
        self._outcomes = outcomes
        self._intake = intake
        self._callbacks = callbacks
        self._conference = conference
        self._incidents = incidents
        self.uplink: Uplink | None = None
        queues = (queue.start for queue in callbacks.queues.values())
        self._to_begin: list[Callable[[], None]] = [self._attach, intake.start, *queues, self._connect]
        if conference:
            self._to_begin.append(conference.vacancy.start)
        self._lock = threading.Lock()
        self._has_ended = False
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._take_role)

    def _take_role(self, leads: bool) -> None:
        if leads:
            self.begin()

    def begin(self) -> None:
        """Start the streams, the outboxes and the callbacks' journals. After a failure it is called again: what has begun goes on."""
        while self._to_begin:
            self._to_begin[0]()
            del self._to_begin[0]

    def _attach(self) -> None:
        """First, since the outbox may be unreadable."""
        link = self._settings.link
        if link.kind == "component":
            self.uplink = Uplink(self._domains, link, self._intake, self._data_dir / "outbox", self._outcomes.progress)
            self._router.attach(self.uplink.send, self.uplink.send_all)
            self._sending.restored = self.uplink.restored

    def _connect(self) -> None:
        if self.uplink:
            self.uplink.start()

    @on_leader
    def status(self) -> list[dict[str, Any]]:
        """How the streams are."""
        return self.uplink.status() if self.uplink else []

    def leave_rooms(self) -> None:
        """Nobody is left to believe that hosted addresses hear what is said in rooms of other servers, or that a room here hears them."""
        if self._conference and self._remote.is_leader:
            self._conference.close()
        if self.uplink:
            for presence in self._router.occupancy.leave():
                try:
                    self._router.send(presence)
                except GatewayError as e:  # the outbox is full
                    self._incidents.report(log, "leaving", "a room is not left: %s", e)

    def end(self) -> None:
        """Stop what has begun, the link first, so that nothing comes in any more. May be called again."""
        with self._lock:
            ended, self._has_ended = self._has_ended, True
        if ended:
            return
        if self._conference:
            self._conference.vacancy.stop()
        if self.uplink:
            self.uplink.stop()
        self._intake.stop()
        self._callbacks.stop()
