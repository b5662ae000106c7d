"""Builds what leads the hosted domains that have owners of their own; nothing, where one node owns all (many-machines §11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from drivers import Driver
from xmpp_rest.config.spread import spread_domains
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.group_parts import GroupParts, OnLoss
from xmpp_rest.gateway.transfers import Transfers
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.threads.waits import Waits

if TYPE_CHECKING:  # what is loaded only where it is needed
    from xmpp_rest.gateway.domain_parts import DomainBase, DomainParts
    from xmpp_rest.gateway.wiring_beside import Beside


def join_beside(
    settings: Settings, driver: Driver, data_dir: Path, joined: GroupParts, remote: Remote, waits: Waits, on_loss: OnLoss,
    incidents: Incidents, counts: Counts,
) -> Beside | None:  # fmt: skip
    """What joins the owners to each other; `joined` and `remote` are those of the accounts. None: one node owns all."""
    if not spread_domains(settings):
        return None
    from xmpp_rest.gateway.wiring_beside import join_all

    return join_all(settings, driver, data_dir, joined, remote, waits, on_loss, incidents, counts)


def build_domains(
    beside: Beside | None, data_dir: Path, router: Router, outcomes: Outcomes, dead: DeadLetters, counts: Counts,
    exists: Callable[[JID], bool], is_admin: Callable[[JID], bool],
) -> Mapping[str, DomainBase]:  # fmt: skip
    """What the services of each domain with an owner of its own are built with. `router`: that of the accounts."""
    if beside is None:
        return {}
    from xmpp_rest.gateway.wiring_beside import build_domains as build

    return build(beside, data_dir, router, outcomes, dead, counts, exists, is_admin)


def build_leaders(
    beside: Beside | None, bases: Mapping[str, DomainBase], archive: Archive, conference: Conference | None
) -> Sequence[DomainParts]:
    """What leads each of these domains."""
    if beside is None:
        return []
    from xmpp_rest.gateway.wiring_beside import build_leaders as build

    return build(beside, bases, archive, conference)


def build_transfers(beside: Beside | None, owner: str, router: Router) -> Transfers | None:
    """What the owner of this domain passes on, and takes."""
    if beside is None:
        return None
    from xmpp_rest.gateway.wiring_beside import build_transfers as build

    return build(beside, owner, router)
