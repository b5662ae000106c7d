"""What an import keeps in memory, and what it asks the storage for, does not grow with the source."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import Content, Driver
from tests.importing.conftest import DOMAIN, HOSTED, Importing
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.importing import records as r
from xmpp_rest.importing.archived import BATCH
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.imported import Import
from xmpp_rest.importing.readers import OPENERS
from xmpp_rest.importing.report import WRITTEN, ImportReport
from xmpp_rest.importing.sources import SourceRequest, opened
from xmpp_rest.importing.target import MOST
from xmpp_rest.protocol.stanza import child, make

PADDING = "x" * 500


def archived(count: int) -> Iterator[r.AccountPart]:
    yield r.Password("secret")
    for number in range(count):
        message = make("message", child("body", f"{number} {PADDING}"), from_="romeo@montague.example", to_=f"juliet@{DOMAIN}")
        yield r.Archived(f"i{number}", float(number), "romeo@montague.example", message)


def test_items_of_a_new_archive_are_not_looked_up(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is written as new; one with an id that came before is not, and its item becomes the last."""
    written: list[Content] = []
    write = driver.bulk_write

    def noted(contents: list[Content]) -> list[Exception | None]:
        written.extend(content for content in contents if content.sort == "archive")
        return write(contents)

    monkeypatch.setattr(driver, "bulk_write", noted)
    first = make("message", child("body", "again"))
    parts = (*archived(3 * BATCH), r.Archived("i5", 9.0, "romeo@montague.example", first))
    Importing(driver).entities(r.Account("juliet", DOMAIN, iter(parts)))
    assert [(content.new, len(content.content)) for content in written] == [(True, BATCH)] * 3 + [(False, 1)]
    items = [item.id for item in driver.archive_find("juliet", DOMAIN, "archive")]
    assert (len(items), items[-1]) == (3 * BATCH, "i5")


def test_memory(tmp_path: Path) -> None:
    """Three times the source takes at most 1.5 times the memory."""

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.xml"
        delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-29T12:46:02Z'/>"
        message = f"<message xmlns='jabber:client' from='romeo@montague.example'><body>{PADDING}</body></message>"
        forwarded = f"<forwarded xmlns='urn:xmpp:forward:0'>{delay}{message}</forwarded>"
        with path.open("w") as file:
            file.write(f"<server-data xmlns='urn:xmpp:pie:0'><host jid='{DOMAIN}'><user name='juliet'><archive xmlns='urn:xmpp:pie:0#mam'>")
            file.writelines(f"<result xmlns='urn:xmpp:mam:2' id='{number}'>{forwarded}</result>" for number in range(count))
            file.write("</archive></user></host></server-data>")
        tracemalloc.start()
        report = ImportReport(print)
        renamed = Domains({})
        source = opened(str(path), SourceRequest("", tmp_path, renamed), OPENERS)
        Import(None, report, renamed, HOSTED, Passwords("SHA-1", 4096), dry_run=True).run(source)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.count("archived messages", WRITTEN) == count
        return used

    peak(100)  # what is kept for good
    assert peak(9_000) < 1.5 * peak(3_000)


def test_batches_of_accounts(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def noted(contents: list[Content]) -> list[Exception | None]:
        sizes.append(len(contents))
        return [None] * len(contents)

    monkeypatch.setattr(driver, "bulk_write", noted)
    card = make("{vcard-temp}vCard", child("{vcard-temp}FN", "x"))
    Importing(driver).entities(*(r.Account(f"u{n}", DOMAIN, iter((r.Card(card),))) for n in range(MOST)))
    assert sizes == [MOST // 2] * 4, "of each batch the records of accounts come last"
