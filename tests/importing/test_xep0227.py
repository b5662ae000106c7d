"""Import from XEP-0227: what the services find afterwards, and what is left out with its reason."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import ArchiveQuery, Driver
from tests.importing.conftest import DOMAIN, Importing
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.importing.accounts import Conflict
from xmpp_rest.importing.report import LEFT_OUT, READ, SKIPPED, WRITTEN
from xmpp_rest.importing.sources import BadSource, NoSource
from xmpp_rest.importing.xep0227 import outline, scan
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.accounts.bans import Bans
from xmpp_rest.service.accounts.pep import Pep
from xmpp_rest.service.accounts.private_storage import PrivateStorage
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.contacts.subscriptions import Side
from xmpp_rest.service.messages.archive import EVERYTHING, Archive

WriteFile = Callable[[str], Path]
JULIET = parse_jid(f"juliet@{DOMAIN}")
PASSWORDS = Passwords("SHA-1", 4096)
PLAIN = "<user name='{}' password='secret'>{}</user>"
ROSTER = """<query xmlns='jabber:iq:roster'>
  <item jid='romeo@montague.example' name='Romeo' subscription='both'><group>Friends</group><group>Lovers</group></item>
  <item jid='mercutio@montague.example' subscription='none' ask='subscribe'/>
</query><presence xmlns='jabber:client' from='paris@verona.example' type='subscribe'><status>May I?</status></presence>"""
CARD = "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>"
OFFLINE = f"""<offline-messages><message xmlns='jabber:client' from='romeo@montague.example/orchard' to='{JULIET}' type='chat'>
<body>Neither, fair saint</body><archived xmlns='urn:xmpp:mam:tmp' by='{DOMAIN}' id='1'/>
<delay xmlns='urn:xmpp:delay' from='{DOMAIN}' stamp='2026-11-29T12:46:02Z'>Offline Storage</delay></message></offline-messages>"""


def scram(password: str, salt: bytes, name: str = "SHA-1", twice: bool = False) -> str:
    digest = name.replace("-", "").lower()
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), salt, 4096)
    stored = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()

    def text(value: bytes) -> str:
        once = b64encode(value)
        return (b64encode(once) if twice else once).decode()

    return (
        f"<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-{name}'><iter-count>4096</iter-count><salt>{text(salt)}</salt>"
        f"<server-key>{text(hmac.digest(salted, b'Server Key', digest))}</server-key><stored-key>{text(stored)}</stored-key></scram-credentials>"
    )


def can_log_in(driver: Driver, password: str, user: str = "juliet") -> bool:
    record = driver.load(user, DOMAIN, "accounts")
    assert record is None or isinstance(record, dict)
    return PASSWORDS.check(record, password)


def test_an_account_with_a_password_in_plain_text(importing: Importing, file: WriteFile) -> None:
    report = importing.source(file(PLAIN.format("juliet", "") + PLAIN.format("Nurse", "")))
    assert (report.count("accounts", READ), report.count("accounts", WRITTEN), importing.said) == (2, 2, [])
    assert can_log_in(importing.driver, "secret")
    assert can_log_in(importing.driver, "secret", "nurse")
    assert not can_log_in(importing.driver, "other")
    record = importing.driver.load("juliet", DOMAIN, "accounts")
    assert isinstance(record, dict)
    assert "password" not in record


@pytest.mark.parametrize("name", ["SHA-1", "SHA-256", "SHA-512"])
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("salt", [b"\xff\x00\xfe random bytes", b"d1e1b0c5-text"])
def test_scram_credentials(importing: Importing, file: WriteFile, name: str, twice: bool, salt: bytes) -> None:
    report = importing.source(file(f"<user name='juliet'>{scram('secret', salt, name, twice)}</user>"))
    assert can_log_in(importing.driver, "secret")
    assert not can_log_in(importing.driver, "other")
    record = importing.driver.load("juliet", DOMAIN, "accounts")
    assert isinstance(record, dict)
    assert record["salt"] == ("" if salt[0] == 255 else salt.decode())
    assert any("a salt that is not text" in line for line in report.lines()) == (salt[0] == 255)
    importing.driver.store("juliet", DOMAIN, "accounts", PASSWORDS.record("new", record))
    assert can_log_in(importing.driver, "new")
    assert not can_log_in(importing.driver, "secret")


def test_what_an_account_has_stored(importing: Importing, file: WriteFile) -> None:
    private = "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='c@example'/></storage></query>"
    report = importing.source(file(PLAIN.format("juliet", OFFLINE + CARD + ROSTER + private)))
    assert importing.said == []
    contacts = {str(contact.jid): contact for contact in Roster(importing.driver).contacts(JULIET)}
    romeo, mercutio, paris = (contacts[f"{who}.example"] for who in ("romeo@montague", "mercutio@montague", "paris@verona"))
    assert (romeo.name, romeo.groups, romeo.state.subscription) == ("Romeo", ("Friends", "Lovers"), "both")
    assert (mercutio.state.to, mercutio.listed) == (Side.ASKED, True)
    assert (paris.state.from_, paris.listed) == (Side.ASKED, False)
    assert "Juliet Capulet" in str(importing.driver.load("juliet", DOMAIN, "vcard"))
    kept = PrivateStorage(importing.driver).get(JULIET, "storage", "storage:bookmarks")
    assert kept[0].get("jid") == "c@example"
    for store in ("offline", "archive"):  # clients read the archive, and ejabberd does not export its own
        (message,) = Archive(importing.driver, store).page(JULIET, EVERYTHING, 10).items
        assert message.when == 1795956362
        assert [child.tag for child in message.stanza] == ["body"]
    assert report.count("roster items", WRITTEN) == 3
    assert report.count("offline messages", WRITTEN) == 1


def test_a_ban_of_ejabberd(importing: Importing, file: WriteFile) -> None:
    salt = os.urandom(16)
    true = scram("secret", salt).replace("scram-credentials", "password").split(">", 1)[1].replace("</password>", "")
    for old, new in (("iter-count", "iterationcount"), ("server-key", "serverkey"), ("stored-key", "storedkey")):
        true = true.replace(old, new)
    banned = (
        f"<query xmlns='jabber:iq:private'><banned xmlns='jabber:ejabberd:banned'><reason>Spam</reason><password>{true}<hash>sha</hash></password>"
        "<lastdate>2026-11-29T12:46:02Z</lastdate><lastreason>Away</lastreason><bandate>2026-11-29T12:46:03.377524Z</bandate></banned></query>"
    )
    importing.source(file(f"<user name='juliet'>{scram('random', os.urandom(16))}{banned}</user>"))
    assert importing.said == []
    bans = Bans(importing.driver, DOMAIN)
    assert bans.details(JULIET) == {
        "reason": "Spam", "bandate": "2026-11-29T12:46:03.377524Z", "lastdate": "2026-11-29T12:46:02Z", "lastreason": "Away",
    }  # fmt: skip
    assert importing.driver.load("juliet", DOMAIN, "private") is None
    bans.unban(JULIET)
    assert can_log_in(importing.driver, "secret")
    assert not can_log_in(importing.driver, "random")


@pytest.mark.parametrize("broken", ["<>x</>", "<x y>z</x y>", "<FN>\x0b</FN>", "<FN>x</N>", "<FN>&unknown;</FN>"])
def test_what_is_not_well_formed_costs_that_element_alone(importing: Importing, file: WriteFile, broken: str) -> None:
    card = f"<vCard xmlns='vcard-temp'><NICKNAME>J</NICKNAME>{broken}</vCard>"
    path = file(PLAIN.format("juliet", OFFLINE + card + ROSTER) + PLAIN.format("nurse", CARD))
    report = importing.source(path)
    (line,) = importing.said
    assert line.startswith(f"left out: {JULIET}: vCards: it is not well-formed")
    assert (report.count("accounts", WRITTEN), report.count("roster items", WRITTEN), report.count("vCards", WRITTEN)) == (2, 3, 1)
    assert report.total(LEFT_OUT) == 1
    assert can_log_in(importing.driver, "secret", "nurse")


def test_a_file_that_ends_early(importing: Importing, file: WriteFile) -> None:
    path = file(PLAIN.format("nurse", "") + PLAIN.format("juliet", ROSTER + CARD))
    path.write_bytes(path.read_bytes().partition(b"<FN>")[0])
    report = importing.source(path)
    assert (report.count("accounts", WRITTEN), report.count("roster items", WRITTEN)) == (2, 3)
    assert "not well-formed" in importing.said[0]


def test_a_broken_message_among_others(importing: Importing, file: WriteFile) -> None:
    whole = OFFLINE.removeprefix("<offline-messages>").removesuffix("</offline-messages>")
    broken = whole.replace("Neither", "<<")
    report = importing.source(file(PLAIN.format("juliet", f"<offline-messages>{whole}{broken}{whole}</offline-messages>{CARD}")))
    assert (report.count("offline messages", WRITTEN), report.count("offline messages", LEFT_OUT)) == (2, 1)
    assert report.count("vCards", WRITTEN) == 1


def test_an_archive(importing: Importing, file: WriteFile) -> None:
    def result(number: int) -> str:
        message = (
            f"<message xmlns='jabber:client' from='romeo@montague.example/o' to='{JULIET}' type='chat'><body>{number}</body></message>"
        )
        delay = f"<delay xmlns='urn:xmpp:delay' stamp='2026-11-29T12:46:{number % 60:02}Z'/>"
        return f"<result xmlns='urn:xmpp:mam:2' id='i{number}'><forwarded xmlns='urn:xmpp:forward:0'>{delay}{message}</forwarded></result>"

    numbers = range(2500)
    path = file(PLAIN.format("juliet", f"<archive xmlns='urn:xmpp:pie:0#mam'>{''.join(map(result, numbers))}</archive>{OFFLINE}"))
    importing.source(path)
    items = list(importing.driver.archive_find("juliet", DOMAIN, "archive"))
    assert [item.id for item in items] == [f"i{number}" for number in numbers]
    assert {item.with_ for item in items} == {"romeo@montague.example"}

    # started again after an interruption: the record is written last
    importing.driver.store("juliet", DOMAIN, "accounts", None)
    importing.driver.archive_delete("juliet", DOMAIN, "archive", ArchiveQuery(after="i1000"))
    report = importing.source(path)
    assert [item.id for item in importing.driver.archive_find("juliet", DOMAIN, "archive")] == [f"i{number}" for number in numbers]
    assert (report.count("archived messages", WRITTEN), report.count("accounts", WRITTEN)) == (1499, 1)


def test_published_items(importing: Importing, file: WriteFile) -> None:
    form = "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>open</value></field><field var='pubsub#persist_items'><value>1</value></field></x>"
    owner = (
        f"<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='urn:xmpp:avatar:metadata'>{form}</configure>"
        "<affiliations node='urn:xmpp:avatar:metadata'><affiliation jid='romeo@montague.example' affiliation='outcast'/></affiliations>"
        "<subscriptions node='urn:xmpp:avatar:metadata'><subscription jid='nurse@capulet.example' subscribed='subscribed'/></subscriptions></pubsub>"
    )
    items = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'><item id='a'><metadata xmlns='urn:xmpp:avatar:metadata'/></item></items></pubsub>"
    importing.source(file(PLAIN.format("juliet", items + owner)))
    assert importing.said == []
    assert importing.driver.load("juliet", DOMAIN, "pep") == {
        "urn:xmpp:avatar:metadata": {
            "name": "urn:xmpp:avatar:metadata",
            "config": {"access_model": "open", "persist_items": True},
            "affiliations": {"romeo@montague.example": "outcast"},
            "subscribers": {"nurse@capulet.example": True},
        }
    }
    pep = Pep(importing.driver, Roster(importing.driver))
    item = pep.last(JULIET, "urn:xmpp:avatar:metadata")
    assert item is not None
    assert (item.id, item.publisher, item.payload.tag) == ("a", str(JULIET), "{urn:xmpp:avatar:metadata}metadata")
    assert pep.may_see(JULIET, "urn:xmpp:avatar:metadata", parse_jid("paris@verona.example"))
    assert not pep.may_see(JULIET, "urn:xmpp:avatar:metadata", parse_jid("romeo@montague.example"))


def test_files_that_are_included(importing: Importing, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    head = "<?xml version='1.0' encoding='UTF-8'?>"
    (folder / "20261129.xml").write_text(
        f"{head}<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'>"
        "<xi:include href='20261129_capulet_example.xml'/><xi:include href='../secret.xml'/><xi:include href='file:///etc/passwd'/></server-data>"
    )
    (folder / "20261129_capulet_example.xml").write_text(
        f"{head}<host xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude' jid='{DOMAIN}'>{PLAIN.format('juliet', CARD)}</host>"
    )
    (tmp_path / "secret.xml").write_text("<server-data xmlns='urn:xmpp:pie:0'/>")
    for source in (folder / "20261129.xml", folder):
        importing.driver.purge("juliet", DOMAIN)
        report = importing.source(source)
        assert (report.count("accounts", READ), report.count("accounts", WRITTEN), report.count("vCards", WRITTEN)) == (1, 1, 1)
        assert len(importing.said) == 2
        assert all("not a file beside it" in line for line in importing.said)


def test_a_file_is_included_once(importing: Importing, tmp_path: Path) -> None:
    include = "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='{}'/>"
    for number in range(30):
        (tmp_path / f"{number}.xml").write_text(include.format(f"{number + 1}.xml") * 2)
    (tmp_path / "0.xml").write_text(f"<server-data xmlns='urn:xmpp:pie:0'>{include.format('1.xml')}</server-data>")
    (tmp_path / "30.xml").write_text(f"<host jid='{DOMAIN}'><user name='juliet'/></host><hosts/>")
    report = importing.source(tmp_path / "0.xml")
    assert report.count("accounts", WRITTEN) == 1
    assert "left out: 1.xml: files: it includes '2.xml', which is read already" in importing.said
    assert "left out: 30.xml: <hosts/>: it is not known at this place" in importing.said


def test_a_folder_with_what_cannot_be_read(importing: Importing, tmp_path: Path, file: WriteFile) -> None:
    file(PLAIN.format("juliet", ""))
    (tmp_path / "folder.xml").mkdir()
    (tmp_path / "gone.xml").symlink_to("nowhere")
    (tmp_path / "long.xml").write_text("<include " * 100_000)
    report = importing.source(tmp_path)
    assert report.count("accounts", WRITTEN) == 1
    assert [line for line in importing.said if "gone.xml" in line and "No such file" in line]


def test_files_of_one_account_each(importing: Importing, tmp_path: Path) -> None:
    """As Prosody's mod_storage_xep0227 writes them."""
    folder = tmp_path / "xml"
    folder.mkdir()
    for name in ("juliet", "nurse"):
        text = f"<server-data xmlns='urn:xmpp:pie:0'><host jid='{DOMAIN}'>{PLAIN.format(name, '')}</host></server-data>"
        (folder / f"{name}@{DOMAIN}.xml").write_text(text)
    (folder / "other.xml").write_text("<html/>")
    report = importing.source(folder)
    assert report.count("accounts", WRITTEN) == 2
    assert importing.said == [
        f"left out: other.xml: files: {folder}/other.xml: this is not a file of XEP-0227, as it begins with <html/> and not with <server-data xmlns='urn:xmpp:pie:0'/>"
    ]


def test_entities_are_refused(importing: Importing, tmp_path: Path) -> None:
    path = tmp_path / "bomb.xml"
    path.write_text("<!DOCTYPE server-data [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><server-data xmlns='urn:xmpp:pie:0'>&b;</server-data>")
    with pytest.raises(BadSource, match="document type"):
        importing.source(path)


def test_a_tag_without_end(importing: Importing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST", 1 << 20)
    path = tmp_path / "tag.xml"
    path.write_text(
        f"<server-data xmlns='urn:xmpp:pie:0'><host jid='{DOMAIN}'><user name='juliet' password='{'x' * (2 << 20)}'/></host></server-data>"
    )
    with pytest.raises(BadSource, match="a tag of more than"):
        importing.source(path)


def test_an_element_that_is_too_large(importing: Importing, file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "MOST", 1000)
    report = importing.source(file(PLAIN.format("juliet", CARD.replace("Capulet", "x" * 1001) + ROSTER)))
    assert (report.count("vCards", LEFT_OUT), report.count("roster items", WRITTEN)) == (1, 3)
    assert "more than 1000 characters" in importing.said[0]


def test_no_source(importing: Importing, tmp_path: Path) -> None:
    with pytest.raises(NoSource):
        importing.source(tmp_path / "missing.xml")
    path = tmp_path / "text.xml"
    path.write_text("no XML at all")
    with pytest.raises(BadSource, match="not well-formed"):
        importing.source(path)


def test_other_domains(importing: Importing, file: WriteFile) -> None:
    path = file(PLAIN.format("juliet", ROSTER))
    path.write_text(path.read_text().replace(DOMAIN, "old.example").replace("romeo@montague.example", "romeo@old.example"))
    report = importing.source(path)
    assert report.count("accounts", WRITTEN) == 0
    assert "--domain old.example=capulet.example" in importing.said[0]
    path.write_text(path.read_text().replace("'old.example'", "'OLD.example'"))
    report = importing.source(path, {"old.example": DOMAIN})
    assert report.count("accounts", WRITTEN) == 1
    assert Roster(importing.driver).contact(JULIET, parse_jid(f"romeo@{DOMAIN}"))


def test_conflicts(importing: Importing, file: WriteFile) -> None:
    importing.source(file(PLAIN.format("juliet", CARD)))
    path = file(PLAIN.format("juliet", CARD.replace("Juliet Capulet", "Another")).replace("secret", "other") + PLAIN.format("nurse", ""))
    report = importing.source(path)
    assert (report.count("accounts", SKIPPED), report.count("accounts", WRITTEN)) == (1, 1)
    assert importing.said == [f"skipped: {JULIET}: accounts: there is an account of this name, which is left as it is"]
    assert can_log_in(importing.driver, "secret")
    with pytest.raises(Conflict):
        importing.source(path, on_conflict="fail")
    importing.source(path, on_conflict="replace")
    assert can_log_in(importing.driver, "other")
    assert "Another" in str(importing.driver.load("juliet", DOMAIN, "vcard"))


def test_a_dry_run_writes_nothing(importing: Importing, file: WriteFile) -> None:
    path = file(PLAIN.format("juliet", OFFLINE + CARD + ROSTER))
    dry = importing.source(path, dry_run=True)
    assert list(importing.driver.hosts()) == []
    assert list(dry.lines()) == list(importing.source(path).lines())
