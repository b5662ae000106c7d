"""What is exported and imported into an empty storage is the same, with every driver."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, Driver, open_driver
from drivers.stanzas import stanza_table
from tests.importing.conftest import DOMAIN, Importing
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.importing import records as r
from xmpp_rest.importing.own import OwnAccounts
from xmpp_rest.importing.xep0227.writing import AccountWriting
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.privacy import PrivacyItem
from xmpp_rest.service.contacts import block_lists, privacy, roster
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.subscriptions import Side, SubscriptionState

MESSAGE = "<message from='romeo@montague.example/orchard' to='juliet@capulet.example' type='chat'><body>Ho &amp; {}\n</body></message>"


@pytest.fixture
def other(tmp_path: Path) -> Any:
    with closing(open_driver("sqlite:other.sqlite", tmp_path)) as driver:
        yield driver


def fill(driver: Driver) -> None:
    """An account with everything that the format can hold, one that is banned, and one without a password."""
    salted = {"salt": "", "salt_base64": "//4AAQ==", "iteration_count": 4096, "stored_key": "ab" * 32, "server_key": "cd" * 32}
    driver.store("juliet", DOMAIN, "accounts", {**salted, "created": 1795956362})
    banned = {"disabled": True, "disabled_meta": {"reason": "Spam & more", "bandate": "2026-11-29T12:46:03.377524Z"}}
    driver.store("paris", DOMAIN, "accounts", {**Passwords("SHA-1", 4096).record("secret"), "created": 5, **banned})
    driver.store("nurse", DOMAIN, "accounts", {"password": "'<pla\u00efn>\"&", "created": 7})
    driver.store("tybalt", DOMAIN, "accounts", {"created": 9})
    asked = stanza_table("<presence from='paris@verona.example' type='subscribe'><status>May I?</status></presence>")
    contacts = [
        Contact(parse_jid("romeo@montague.example"), SubscriptionState(Side.YES, Side.YES), "Romeo", ("Friends", "Höfe")),
        Contact(parse_jid("mercutio@montague.example"), SubscriptionState(Side.ASKED, Side.NONE), approved=True),
        Contact(parse_jid("benvolio@montague.example"), SubscriptionState(Side.YES, Side.ASKED)),
        Contact(parse_jid("paris@verona.example"), SubscriptionState(from_=Side.ASKED), listed=False, request=asked),
    ]
    driver.store("juliet", DOMAIN, roster.ROSTER, roster.table_of(contacts))
    driver.store("juliet", DOMAIN, "vcard", stanza_table("<vCard xmlns='vcard-temp'><FN>Juliet</FN><N><GIVEN>J</GIVEN></N></vCard>"))
    bookmarks = "<storage xmlns='storage:bookmarks'><conference jid='c@example'/></storage>"
    driver.store("juliet", DOMAIN, "private", {"storage:storage:bookmarks": stanza_table(bookmarks)})
    lists = {"work": (PrivacyItem(1, False, "jid", "paris@verona.example", frozenset(("message",))), PrivacyItem(2, True)), "none": ()}
    driver.store("juliet", DOMAIN, privacy.STORE, privacy.table_of(lists, "work"))
    driver.store("juliet", DOMAIN, block_lists.STORE, block_lists.table_of(map(parse_jid, ("spam.example", "a@b.example/c"))))
    driver.store("juliet", DOMAIN, "archive_prefs", {"__hash": [False, "roster"], "romeo@montague.example": True, "x.example": False})
    driver.archive_extend(
        "juliet",
        DOMAIN,
        "archive",
        [ArchiveItem(f"i{n}", 1795956362.25 + n, "romeo@montague.example", MESSAGE.format(n)) for n in range(1200)],
    )
    driver.archive_extend(
        "juliet", DOMAIN, "offline", [ArchiveItem(f"o{n}", 1795956362.0 + n, "romeo@montague.example", MESSAGE.format(n)) for n in range(3)]
    )
    config = {"access_model": "open", "persist_items": True, "max_items": 3}
    node = {"name": "urn:x", "config": config, "affiliations": {"a@b.example": "member"}, "subscribers": {"c@d.example": True}}
    driver.store("juliet", DOMAIN, "pep", {"urn:x": node, "urn:y": True})
    driver.archive_extend("juliet", DOMAIN, "pep_urn:x", [ArchiveItem("p", 1795956362, f"juliet@{DOMAIN}", "<x xmlns='urn:x'>1</x>")])


def everything(driver: Driver) -> dict[str, list[Any]]:
    """All parts of all accounts, without what the format does not keep: ids of offline messages, times of published items."""
    found = {}
    for account in OwnAccounts(driver, DOMAIN).all():
        parts = [part._replace(when=None) if isinstance(part, r.PepItem) else part for part in account.parts]
        found[account.localpart] = sorted(map(shown, parts))
    return found


def shown(part: Any) -> str:
    values = [serialise(value) if hasattr(value, "tag") else sorted(value.items()) if isinstance(value, dict) else value for value in part]
    return f"{type(part).__name__}: {values}"


def exported(driver: Driver, *, twice: bool = False) -> str:
    left: list[object] = []
    text = "".join(AccountWriting(lambda *what: left.append(what), twice=twice).file(DOMAIN, OwnAccounts(driver, DOMAIN).all()))
    assert left == []
    return text


@pytest.mark.parametrize("twice", [False, True])
def test_a_round_trip(driver: Driver, other: Driver, tmp_path: Path, twice: bool) -> None:
    fill(driver)
    before = everything(driver)
    assert sorted(before) == ["juliet", "nurse", "paris", "tybalt"]
    assert len(before["juliet"]) > 1200
    (tmp_path / "out.xml").write_text(exported(driver, twice=twice))
    importing = Importing(other)
    importing.source(tmp_path / "out.xml")
    assert importing.said == [f"remark: tybalt@{DOMAIN} has no password that can be imported: set one with change_password"]
    after = everything(other)
    nurse = [line for line in after["nurse"] if not line.startswith("Scram")]  # it is hashed by the import
    assert sorted(after) == sorted(before)
    for user in ("juliet", "paris", "tybalt"):
        assert set(after[user]) ^ set(before[user]) == set()
        assert len(after[user]) == len(before[user])
    assert nurse == [line for line in before["nurse"] if not line.startswith("Password")]
    record = other.load("nurse", DOMAIN, "accounts")
    assert isinstance(record, dict)
    assert Passwords("SHA-1", 4096).check(record, "'<pla\u00efn>\"&")


def test_a_banned_account_cannot_log_in_elsewhere(driver: Driver) -> None:
    fill(driver)
    text = exported(driver)
    paris = text[text.index('name="paris"') :].partition("</user>")[0]
    assert "scram-credentials" not in paris
    assert "Spam &amp; more" in paris


def test_what_cannot_be_read_is_left_out(driver: Driver) -> None:
    driver.store("juliet", DOMAIN, "accounts", {"password": "x"})
    driver.store("juliet", DOMAIN, "vcard", {"no": "element"})
    left: list[tuple[str, r.LeftOut]] = []
    out = io.StringIO()
    out.writelines(AccountWriting(lambda *what: left.append(what)).file(DOMAIN, OwnAccounts(driver, DOMAIN).all()))
    ((who, part),) = left
    assert (who, part.kind) == (f"juliet@{DOMAIN}", "vCards")
    assert 'password="x"' in out.getvalue()
    assert parse_text(out.getvalue()).tag == "{urn:xmpp:pie:0}server-data"
