"""What is left out or skipped is named, with its reason, and costs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from drivers import ArchiveItem, BadValue, Content, Driver, StorageError, open_driver
from tests.importing.conftest import DOMAIN, HOSTED, Importing
from xmpp_rest.importing import records as r
from xmpp_rest.importing.accounts import Conflict
from xmpp_rest.importing.report import LEFT_OUT, SKIPPED, WRITTEN
from xmpp_rest.protocol.stanza import child, make

WriteFile = Callable[[str], Path]
ROOMS = f"conference.{DOMAIN}"
SCRAM = "<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='{}'><iter-count>{}</iter-count><salt>{}</salt><server-key>{}</server-key><stored-key>{}</stored-key></scram-credentials>"
PUBSUB = "<pubsub xmlns='http://jabber.org/protocol/pubsub{}'>{}</pubsub>"
KEY = "iKPQ5v8AAAAAAAAAAAAAAAAAAAA="


def message(body: str) -> Element:
    return make("message", child("body", body), from_="romeo@montague.example/o", to_=f"juliet@{DOMAIN}", type="chat")


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        (SCRAM.format("SCRAM-MD5", 4096, KEY, KEY, KEY), "credentials: the mechanism 'SCRAM-MD5' is not one of"),
        (SCRAM.format("SCRAM-SHA-1", "many", KEY, KEY, KEY), "credentials: 'many' is not a number of iterations"),
        (SCRAM.format("SCRAM-SHA-1", "9" * 5000, KEY, KEY, KEY), "credentials: '99999999999999999999' is not a number of iterations"),
        (SCRAM.format("SCRAM-SHA-1", 4096, "%", KEY, KEY), "credentials: they are not base64"),
        (SCRAM.format("SCRAM-SHA-256", 4096, KEY, KEY, KEY), "credentials: "),
        ("<query xmlns='jabber:iq:roster'><item jid='@x'/></query>", "roster items: the local part is not valid"),
        ("<presence xmlns='jabber:client' type='probe' from='a@b'/>", "presence: of type 'probe'"),
        ("<query xmlns='jabber:iq:privacy'><list name='l'><item order='x' action='deny'/></list></query>", "privacy lists: l: order"),
        ("<query xmlns='jabber:iq:private'><bare xmlns='urn:xmpp:pie:0'/></query>", "private elements: private data needs a namespace"),
        ("<blocklist xmlns='urn:xmpp:blocking'><item jid='@'/></blocklist>", "blocked addresses: the local part"),
        ("<offline-messages><presence xmlns='jabber:client'/></offline-messages>", "offline messages: <presence/> is not a message"),
        ("<archive xmlns='urn:xmpp:pie:0#mam'><result xmlns='urn:xmpp:mam:2' id='1'/></archive>", "archived messages: it has no message"),
        (PUBSUB.format("", "<items><item id='a'><x xmlns='y'/></item></items>"), "nodes: it has no name"),
        (PUBSUB.format("", "<items node='n'><item id='a'/></items>"), "published items: n: it has no payload"),
        (PUBSUB.format("#owner", "<delete node='n'/>"), "nodes: <delete/> is not known"),
        ("<unheard xmlns='urn:of'/>", "unheard: {urn:of}unheard is not known here"),
        ("<vCard xmlns='vcard-temp'>" + "<N>" * 80 + "</N>" * 80 + "</vCard>", "vCards: more than 64 elements"),
    ],
)
def test_parts_of_a_file(tmp_path: Path, file: WriteFile, inside: str, says: str) -> None:
    with closing(open_driver("sqlite:one.sqlite", tmp_path)) as driver:
        importing = Importing(driver)
        report = importing.source(file(f"<user name='juliet' password='secret'>{inside}</user><user name='nurse' password='secret'/>"))
    (line,) = importing.said
    assert line.startswith(f"left out: juliet@{DOMAIN}: {says}"), line
    assert (report.count("accounts", WRITTEN), report.total(LEFT_OUT)) == (2, 1)


def test_accounts(importing: Importing) -> None:
    report = importing.entities(
        r.Account("a b", DOMAIN, iter((r.Password("x"),))),
        r.Account("juliet", "elsewhere.example", iter((r.Password("x"),))),
        r.Account(
            "nurse", DOMAIN, iter((r.Password("\u0007"), r.LastSeen(5.0, "Away"), r.Made(7.0), r.LeftOut("inbox", "it has no place", 3)))
        ),
        r.Account("paris", DOMAIN, iter((r.Scram("SCRAM-SHA-1", 200_000, b"salt", bytes(20), bytes(20)),))),
        r.Unreadable("everybody", "motd", "it has no place"),
    )
    assert (report.count("accounts", LEFT_OUT), report.count("accounts", WRITTEN), report.count("inbox", LEFT_OUT)) == (2, 2, 3)
    wanted = ("a b@", "this gateway hosts", "inbox (3)", "not allowed", "no password", "iterations", "motd")
    assert len(importing.said) == len(wanted), importing.said
    assert all(says in line for line, says in zip(importing.said, wanted, strict=True)), importing.said
    assert importing.driver.load("nurse", DOMAIN, "last") == {"timestamp": 5, "status": "Away"}
    record = importing.driver.load("nurse", DOMAIN, "accounts")
    assert isinstance(record, dict)
    assert record["created"] == 7


def test_an_archive_that_begins_otherwise_is_left_alone(importing: Importing) -> None:
    importing.driver.archive_append("juliet", DOMAIN, "archive", "<message/>", when=1.0, key="other")
    parts: tuple[r.AccountPart, ...] = (
        r.Password("x"),
        *(r.Archived(f"i{n}", float(n), "romeo@montague.example", message(str(n))) for n in range(3)),
    )
    report = importing.entities(r.Account("juliet", DOMAIN, iter(parts)))
    assert (report.count("archived messages", SKIPPED), report.count("accounts", WRITTEN)) == (3, 1)
    assert [item.id for item in importing.driver.archive_find("juliet", DOMAIN, "archive")] == ["other"]
    report = importing.entities(r.Account("juliet", DOMAIN, iter(parts)), on_conflict="replace")
    assert [item.id for item in importing.driver.archive_find("juliet", DOMAIN, "archive")] == ["i0", "i1", "i2"]


def test_messages_without_ids_may_be_equal(importing: Importing) -> None:
    parts: list[r.AccountPart] = [r.Password("x"), *(r.Archived("", 1.0, "romeo@montague.example", message("Ay me")) for _ in range(3))]
    for _ in range(2):
        importing.entities(r.Account("juliet", DOMAIN, iter(parts)))
        importing.driver.store("juliet", DOMAIN, "accounts", None)
    assert len(list(importing.driver.archive_find("juliet", DOMAIN, "archive"))) == 3


def test_offline_messages_of_an_account_that_is_replaced(importing: Importing) -> None:
    """They come to the archive that is here already, once."""
    importing.driver.store("juliet", DOMAIN, "accounts", {"password": "x", "created": 3})
    importing.driver.archive_extend("juliet", DOMAIN, "archive", [ArchiveItem("here", 1.0, "", "<message><body>x</body></message>")])
    for _ in range(2):
        parts: Iterator[r.AccountPart] = iter((r.OfflineMessage(message("Ay me"), 5.0),))
        importing.entities(r.Account("juliet", DOMAIN, parts), on_conflict="replace")
    assert [item.when for item in importing.driver.archive_find("juliet", DOMAIN, "archive")] == [1.0, 5.0]
    assert len(list(importing.driver.archive_find("juliet", DOMAIN, "offline"))) == 1
    record = importing.driver.load("juliet", DOMAIN, "accounts")
    assert isinstance(record, dict)
    assert (record["created"], record["password"]) == (3, "x")


def test_an_item_that_the_storage_refuses(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    write = driver.bulk_write

    def picky(contents: list[Content]) -> list[Exception | None]:
        bad = [c.sort == "archive" and any("bad" in item.stanza for item in c.content) for c in contents]
        done = iter(write([c for c, is_bad in zip(contents, bad, strict=True) if not is_bad]))
        return [BadValue("refused") if is_bad else next(done) for is_bad in bad]

    monkeypatch.setattr(driver, "bulk_write", picky)
    importing = Importing(driver)
    parts: tuple[r.AccountPart, ...] = (r.Password("x"), *(r.Archived(text, 1.0, "", message(text)) for text in ("one", "bad", "two")))
    report = importing.entities(r.Account("juliet", DOMAIN, iter(parts)))
    assert importing.said == [f"left out: juliet@{DOMAIN}: archived messages: refused"]
    assert (report.count("archived messages", WRITTEN), report.count("accounts", WRITTEN)) == (2, 1)
    assert [item.id for item in driver.archive_find("juliet", DOMAIN, "archive")] == ["one", "two"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_full_disk_ends_the_import_and_leaves_no_account_without_its_archive(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    def parts() -> Iterator[r.AccountPart]:
        return iter((r.Password("x"), *(r.Archived(str(number), 1.0, "", message("a")) for number in range(5))))

    write, full = driver.bulk_write, [True]

    def filling(contents: list[Content]) -> list[Exception | None]:
        """The first archive has no room; smaller things have, or the first error was of one item."""
        if not full[0] or (not at_once and len(contents) > 1):
            return write(contents) if not full[0] else [BadValue("refused") if c.sort == "archive" else None for c in contents]
        return [StorageError("no space left") if c.sort == "archive" else write([c])[0] for c in contents]

    monkeypatch.setattr(driver, "bulk_write", filling)
    importing = Importing(driver)
    accounts = [r.Account(name, DOMAIN, parts()) for name in ("juliet", "nurse")]
    with pytest.raises(StorageError, match="no space left"):
        importing.entities(*accounts)
    assert (driver.load("juliet", DOMAIN, "accounts"), importing.said) == (None, [])
    full[0] = False
    report = importing.entities(r.Account("juliet", DOMAIN, parts()))
    assert (report.count("accounts", WRITTEN), len(list(driver.archive_find("juliet", DOMAIN, "archive")))) == (1, 5)


def test_rooms(importing: Importing) -> None:
    bad: tuple[r.RoomPart, ...] = (r.RoomAffiliation("@", "owner"), r.LeftOut("log", "it has no place"), r.Made(5.0))
    report = importing.entities(r.ConferenceRoom("a b", ROOMS, iter(())), r.ConferenceRoom("verona", ROOMS, iter(bad)))
    assert (report.count("rooms", LEFT_OUT), report.count("rooms", WRITTEN), report.count("affiliations", LEFT_OUT)) == (1, 1, 1)
    table = importing.driver.load("verona", ROOMS, "muc")
    assert isinstance(table, dict)
    assert (table["created"], table["used"]) == (5, 5)


def test_groups_and_nicks(importing: Importing) -> None:
    entities: tuple[r.Entity, ...] = (
        r.SharedGroup("a", "other.example"),
        r.SharedGroup("b", DOMAIN, members=("@", f"juliet@{DOMAIN}")),
        r.ReservedNick("other.example", f"juliet@{DOMAIN}", "J"),
        r.ReservedNick(ROOMS, "@", "J"),
        r.ReservedNick(ROOMS, f"juliet@{DOMAIN}", "J"),
    )
    report = importing.entities(*entities)
    assert [report.count(kind, LEFT_OUT) for kind in ("shared roster groups", "members", "reserved nicks")] == [1, 1, 2]
    other = r.ReservedNick(ROOMS, f"juliet@{DOMAIN}", "Julia")
    assert importing.entities(other).count("reserved nicks", SKIPPED) == 1
    with pytest.raises(Conflict):
        importing.entities(other, on_conflict="fail")
    with pytest.raises(Conflict):
        importing.entities(entities[1], on_conflict="fail")
    assert importing.entities(other, on_conflict="replace").count("reserved nicks", WRITTEN) == 1
    assert HOSTED.rooms == ROOMS
