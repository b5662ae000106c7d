"""What the journal of the outbox archives for senders, and what it makes of notes that a gateway on one machine has left."""

from __future__ import annotations

from drivers import Addition, ArchiveItem
from tests.conftest import DOMAIN
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.link.outbox import Entry, Label, Progress
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.archived_by_journal import ArchivedByJournal
from xmpp_rest.service.messages.outcomes import Outcomes

JULIET = parse_jid(f"juliet@{DOMAIN}")
TEXT = f"<message from='{JULIET}/balcony' to='romeo@montague.example/orchard' id='m1'><body>Good night</body></message>"
ITEM = ArchiveItem("a1", 7.5, "romeo@montague.example", TEXT)


def test_an_item_goes_with_its_stanza_and_one_that_was_noted_may_be_there() -> None:
    archived = ArchivedByJournal(Incidents())
    assert archived.note_of(JULIET, ITEM) == Addition("juliet", DOMAIN, "archive", (ITEM,), new=True)
    assert archived.of_note(NotedEntry(1, TEXT, ["a1", 7.5])) == Addition("juliet", DOMAIN, "archive", (ITEM,), new=False)


def test_a_note_that_cannot_be_read_is_counted() -> None:
    archived = ArchivedByJournal(incidents := Incidents())
    for text, note in (("<message", ["a1", 7.5]), (TEXT, "?"), ("<message/>", ["a1", 7.5])):
        assert archived.of_note(NotedEntry(1, text, note)) is None
    assert incidents.counts() == {"sent-unkept": 3}


def test_what_an_earlier_owner_accepted_has_an_outcome() -> None:
    outcomes = Outcomes(Counts())
    entries = [Entry(TEXT.encode(), Label(str(JULIET), "m1")), Entry(TEXT.encode(), None)]
    outcomes.progress(entries, Progress.WRITTEN)
    assert outcomes.get(JULIET, "m1") is None
    outcomes.progress(entries, Progress.ACCEPTED)
    outcomes.progress(entries, Progress.CONFIRMED)
    found = outcomes.get(JULIET, "m1")
    assert found is not None
    assert found.state == "confirmed"
