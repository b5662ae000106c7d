"""Builds what keeps the gateway's promises: journals, the streams whose outboxes are in them, and the archives of those who send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from drivers import Addition, Driver
from drivers.shared import Shared
from xmpp_rest.config.spread import callbacks_at, owned_with
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.journals_taken_back import JournalsTakenBack
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.link.journals import FileJournals, Journals, rooms_outbox
from xmpp_rest.link.transport import MayWrite
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.messages.archive import Archive, Settler
from xmpp_rest.service.messages.archive_queue import ArchiveQueue
from xmpp_rest.service.messages.archived_by_journal import ArchivedByJournal, SentArchive
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.unarchived import Unarchived
from xmpp_rest.service.messages.unarchived_counts import UnarchivedCounts


@dataclass(frozen=True)
class Promises:
    """`unarchived`: None: whatever is accepted is archived."""

    journals: Journals
    uplink: Uplink | None
    sent: SentArchive
    unarchived: Settler | None


def build_promises(
    settings: Settings, driver: Driver, data_dir: Path, outcomes: Outcomes, counts: Counts, remote: Remote, incidents: Incidents,
    shared: Callable[[], Shared] | None, may_write: MayWrite | None,
) -> Promises:  # fmt: skip
    """`shared`: what the machines of a cluster share; None: there is this one alone. `may_write`: of `Uplink`."""
    domain = settings.gateway.domain
    files = FileJournals(data_dir)
    journals: Journals = JournalsTakenBack(files, driver, domain) if driver.shared else files
    archived = ArchivedByJournal(incidents)
    if shared is not None:
        journals = shared_journals(settings, domain, shared, data_dir, archived.of_note, remote, incidents)
    owned = owned_with(settings, domain)
    uplink = build_uplink(settings, owned, journals, outcomes, counts, may_write, tells_left=shared is not None)
    if shared is not None:
        return Promises(journals, uplink, archived, None)
    unqueued = UnarchivedCounts(data_dir)
    queue = ArchiveQueue(Archive(driver), unqueued, incidents, partial(uplink.ack_notes, domain) if uplink else _ignored)
    unarchived = Unarchived(unqueued, queue, partial(uplink.forget_notes, domain) if uplink else _ignored, domain, remote)
    return Promises(journals, uplink, queue, unarchived)


def build_uplink(
    settings: Settings, domains: Sequence[str], journals: Journals, outcomes: Outcomes, counts: Counts, may_write: MayWrite | None, *,
    tells_left: bool,
) -> Uplink | None:  # fmt: skip
    """The streams of these domains; None: there is no link."""
    if settings.link.kind != "component":
        return None
    return Uplink(domains, settings.link, journals, outcomes.progress, counts, may_write, tells_left=tells_left)


def shared_journals(
    settings: Settings, hosted: str, shared: Callable[[], Shared], data_dir: Path, of_note: Callable[[NotedEntry], Addition | None],
    remote: Remote, incidents: Incidents,
) -> Journals:  # fmt: skip
    """Those of the owner of `hosted`, and what hands over what a node has kept in files when it was alone."""
    from xmpp_rest.cluster.files_joining import FilesJoining  # not loaded on one machine
    from xmpp_rest.cluster.journals import SharedJournals

    domain = settings.gateway.domain
    journals = SharedJournals(shared, domain, incidents, data_dir, of_note, hosted=hosted)
    of_rooms = (rooms_outbox(domain),) if hosted == domain else ()
    outboxes, callbacks = (*owned_with(settings, hosted), *of_rooms), tuple(callbacks_at(settings, hosted))
    FilesJoining(data_dir, outboxes, callbacks, journals, remote, incidents)  # works by itself
    return journals


def _ignored(*_: object) -> None:
    """There is no journal."""
