"""Whether the gateway can do its work now, and why not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from drivers import StorageError
from drivers.lease import LeaseTaken
from xmpp_rest.api.gateway import Check, Gateway
from xmpp_rest.errors import GatewayError
from xmpp_rest.threads.probe import Probe

log = logging.getLogger("xmpp_rest.server")

STORE = "xmpprest_ready"  # of the host; it is read, and nothing writes it
STORAGE_SECONDS, OWNER_SECONDS = 2.0, 1.0
"""What the storage, and the process that owns the link, may take."""
IN_GRACE = 0.3  # seconds that the latter may take where it does not matter yet: a proxy that asks waits a second, say
KEPT = 1.0  # seconds


class Readiness:
    """Judges the checks of one process. Nothing here waits longer than STORAGE_SECONDS and OWNER_SECONDS."""

    def __init__(self, gateway: Gateway, clock: Callable[[], float] = time.monotonic) -> None:
        self._gateway = gateway
        self._clock = clock
        self._owned = float("-inf")  # when the owner has answered last, by the clock
        self._storage: Probe[None] = Probe(self._read, patience=STORAGE_SECONDS, kept=KEPT)
        self._owner: Probe[list[dict[str, Any]]] = Probe(self._ask_owner, patience=OWNER_SECONDS, kept=0.0)
        self._owners: Probe[list[dict[str, Any]]] = Probe(self._ask_owners, patience=IN_GRACE, kept=KEPT)
        self._owner_in_grace: Probe[list[dict[str, Any]]] = Probe(self._ask_owner, patience=IN_GRACE, kept=0.0)

    def checks(self) -> list[Check]:
        """All checks, those that fail with their reason."""
        if self._gateway.stopping:
            return [Check("process", "stopping")]
        storage, taken = self._of_storage()
        return [storage, *self._of_link(taken=taken), Check("process", "draining" if self._gateway.parts.cluster.draining else "")]

    def storage_answers(self) -> bool:
        """Whether the storage can be read."""
        return not self._of_storage()[0].reason

    def _read(self) -> None:
        self._gateway.start()
        self._gateway.driver.load(None, self._gateway.settings.gateway.domain, STORE)

    def _ask_owner(self) -> list[dict[str, Any]]:
        return self._gateway.parts.link_status()

    def _is_ownerless(self) -> bool:
        """Whether this node knows of a domain that no node owns; on one machine nobody knows."""
        try:
            owners = self._owners.ask()
        except (TimeoutError, GatewayError):
            return False
        return not all(owner["node"] for owner in owners)

    def _ask_owners(self) -> list[dict[str, Any]]:
        return list(self._gateway.parts.cluster.figures().get("owners", ()))

    def _of_storage(self) -> tuple[Check, bool]:
        """The check, and whether another gateway has the storage."""
        try:
            self._storage.ask()
        except TimeoutError:
            return Check("storage", "slow"), False
        except LeaseTaken:
            return Check("storage"), True
        except Exception as e:
            if not isinstance(e, (StorageError, GatewayError)):
                log.exception("the storage cannot be judged")
            return Check("storage", "unusable"), False
        return Check("storage"), self._gateway.lost

    def _of_link(self, *, taken: bool) -> Iterator[Check]:
        """Those for which the process that owns the link is asked."""
        link = self._gateway.settings.link
        domains = self._gateway.settings.domains if link.kind != "none" else []
        streams, trouble = ({}, "no-owner") if taken else self._ask()
        for domain in domains:
            stream = streams.get(domain)
            up = stream is not None and stream["state"] == "online"
            yield Check("link", "" if up else (stream["reason"] or stream["state"]) if stream else trouble, domain)
        full = any(stream["outbox"] >= link.outbox_size for stream in streams.values())
        yield Check("outbox", "full" if full else "")
        yield Check("lease", "" if self._is_in_grace and not taken else trouble)

    @property
    def _is_in_grace(self) -> bool:
        """Whether the owner has answered a moment ago: while another one takes over, requests wait."""
        return self._clock() - self._owned < self._gateway.parts.cluster.grace

    def _ask(self) -> tuple[dict[str, dict[str, Any]], str]:
        """The streams by domain, and why they are not known."""
        probe = self._owner_in_grace if self._is_in_grace else self._owner
        try:
            streams = {stream["domain"]: stream for stream in probe.ask()}
            self._owned = self._clock()
            return streams, ""
        except TimeoutError:
            return {}, "no-owner" if self._is_ownerless() else "owner-silent"
        except Exception as e:
            if not isinstance(e, GatewayError):
                log.exception("the process that owns the link cannot be asked")
            return {}, "no-owner"
