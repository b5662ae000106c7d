"""What real servers have written is imported, and people log in over HTTP with the password that they have; and the other way round."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Flask

from drivers import ArchiveItem, Driver, open_driver
from drivers.stanzas import stanza_table
from tests.conftest import basic, build_app
from tests.drivers.postgrescluster import Cluster
from tests.importing.conftest import Importing
from tests.importing.test_round_trip import everything, exported, fill
from xmpp_rest.auth.passwords import Passwords, derive
from xmpp_rest.gateway.gateway import Gateway as AppGateway
from xmpp_rest.importing import records as r
from xmpp_rest.importing.own import OwnAccounts
from xmpp_rest.importing.report import WRITTEN
from xmpp_rest.importing.xep0227.writing import AccountWriting
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.accounts.bans import Bans
from xmpp_rest.service.contacts import roster
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.subscriptions import Side, SubscriptionState

from .beside import Beside
from .conftest import require
from .exporting import ExportingEjabberd, migrate_in_prosody, text
from .users import EventLoop, User
from .xmppserver import DOMAIN

PASSWORD = "wherefore art thou \u00fc"
JULIET, DOM = text("juliet"), text(DOMAIN)


@pytest.fixture
def run_ejabberd(tmp_path: Path) -> Iterator[Callable[..., ExportingEjabberd]]:
    """Runs some Erlang in an ejabberd of its own."""
    require("ejabberdctl")
    started: list[ExportingEjabberd] = []

    def run(erlang: str, **options: str) -> ExportingEjabberd:
        server = ExportingEjabberd(tmp_path / f"ejabberd{len(started)}", erlang, **options)
        started.append(server)
        server.start()
        return server

    yield run
    for server in started:
        server.stop()


def imported(folder: Path, source: Path) -> tuple[Flask, Importing]:
    """A gateway on a storage into which `source` was imported, and the import."""
    app = build_app(folder / "gateway")
    gateway: AppGateway = app.extensions["gateway"]
    importing = Importing(gateway.driver)
    importing.source(source)
    return app, importing


@contextmanager
def own_accounts(folder: Path, hash_name: str) -> Iterator[Driver]:
    """A storage with two accounts; without a hash, with their passwords in plain text."""
    with closing(open_driver("sqlite:own.sqlite", folder)) as driver:
        for user in ("juliet", "nurse"):
            record = Passwords(hash_name, 4096).record(PASSWORD) if hash_name else {"password": PASSWORD}
            driver.store(user, DOMAIN, "accounts", record)
        driver.store("juliet", DOMAIN, "vcard", stanza_table("<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>"))
        friend = Contact(parse_jid("romeo@montague.example"), SubscriptionState(Side.YES, Side.YES), "Romeo", ("Friends",))
        driver.store("juliet", DOMAIN, roster.ROSTER, roster.table_of([friend]))
        message = f"<message from='romeo@montague.example/o' to='juliet@{DOMAIN}' type='chat'><body>Ho</body></message>"
        for store in ("offline", "archive"):
            driver.archive_extend("juliet", DOMAIN, store, [ArchiveItem("i", 1795956362.0, "romeo@montague.example", message)])
        yield driver


@pytest.fixture
def filled_prosody(tmp_path: Path, event_loop_thread: EventLoop) -> Iterator[Beside]:
    """A Prosody with accounts, of which juliet has stored something by her client."""
    require(Beside.program)
    server = Beside(tmp_path / "prosody")
    server.start()
    for name in ("juliet", "nurse"):
        server.user("delete_user", name, DOMAIN)
        server.do(f"return users.create_user('{name}', [[{PASSWORD}]], '{DOMAIN}')")
    juliet = User(event_loop_thread, server, "juliet", password=PASSWORD)
    juliet.connect()
    for payload in (
        "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>",
        "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.example' name='Romeo'><group>Friends</group></item></query>",
        "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='c@example'/></storage></query>",
    ):
        assert juliet.iq(juliet.bare, payload, "set").get("type") == "result"
    juliet.send_message(f"nurse@{DOMAIN}", "Ay me")
    assert juliet.iq(DOMAIN, "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"
    juliet.close()
    yield server
    if server.running:
        server.stop()


def test_from_prosody(filled_prosody: Beside, tmp_path: Path) -> None:
    """Files of one account each, which prosody-migrator makes with mod_storage_xep0227."""
    filled_prosody.stop()
    target = tmp_path / "xml"
    target.mkdir()
    said = migrate_in_prosody(tmp_path, ("internal", tmp_path / "prosody/data"), ("xep0227", target))
    app, importing = imported(tmp_path, target)
    assert importing.said == [], said
    assert [importing.report.count(kind, WRITTEN) for kind in ("accounts", "archived messages", "published items")] == [3, 2, 1]
    assert not any("a salt that is not text" in line for line in importing.report.lines())
    client, nurse = app.test_client(), basic(f"nurse@{DOMAIN}", PASSWORD)
    assert [message["body"] for message in client.get("/api/messages", headers=nurse).get_json()] == ["Ay me"]
    juliet = basic(f"juliet@{DOMAIN}", PASSWORD)
    (contact,) = client.get("/api/contacts", headers=juliet).get_json()
    assert contact["jid"] == "romeo@montague.example"
    assert "Friends" in client.get("/data/roster", headers=juliet).get_data(as_text=True)
    assert "c@example" in client.get("/data/private", headers=juliet).get_data(as_text=True)
    gateway: AppGateway = app.extensions["gateway"]
    card = gateway.parts.vcards.get(parse_jid(f"juliet@{DOMAIN}"))
    assert card is not None
    assert card.findtext("{vcard-temp}FN") == "Juliet Capulet"


def test_a_salt_that_is_not_text_beside_prosody(tmp_path: Path) -> None:
    """Prosody on the same storage refuses the account, and after it has set the password again both take that."""
    require(Beside.program)
    server = Beside(tmp_path / "prosody")
    server.start()
    try:
        with closing(open_driver(f"flatfile:{server.folder}/data", tmp_path)) as driver:
            importing = Importing(driver)
            scram = r.Scram("SCRAM-SHA-1", 4096, b"\xff\xfe salt", *scram_keys(PASSWORD, b"\xff\xfe salt", 4096))
            importing.entities(r.Account("romeo", DOMAIN, iter([scram])))
            check = f"return users.test_password('romeo', '{DOMAIN}', [[{PASSWORD}]])"

            def checks(password: str) -> bool:
                record = driver.load("romeo", DOMAIN, "accounts")
                return isinstance(record, dict) and Passwords("SHA-1", 4096).check(record, password)

            assert checks(PASSWORD)
            assert server.do(check) != "true"
            server.user("set_password", "romeo", "new", DOMAIN)
            assert server.user("test_password", "romeo", DOMAIN, "new") == "true"
            assert (checks(PASSWORD), checks("new")) == (False, True)
    finally:
        server.stop()


def scram_keys(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """StoredKey and ServerKey (RFC 5802 §3)."""
    keys = derive(password, salt, iterations, "sha1")
    return bytes.fromhex(keys.stored_key), bytes.fromhex(keys.server_key)


def test_a_round_trip_over_postgresql(cluster: Cluster, tmp_path: Path) -> None:
    with closing(open_driver(cluster.new_database(), tmp_path)) as source, closing(open_driver(cluster.new_database(), tmp_path)) as target:
        fill(source)
        (tmp_path / "out.xml").write_text(exported(source))
        importing = Importing(target)
        importing.source(tmp_path / "out.xml")
        before, after = everything(source), everything(target)
        assert {user: before[user] for user in ("juliet", "paris", "tybalt")} == {
            user: after[user] for user in ("juliet", "paris", "tybalt")
        }


def test_to_prosody(tmp_path: Path) -> None:
    """mod_storage_xep0227 reads an export, and people log in there."""
    require(Beside.program)
    (tmp_path / "xml").mkdir()
    with own_accounts(tmp_path, "SHA-1") as driver:
        for account in OwnAccounts(driver, DOMAIN).all():
            text_ = "".join(AccountWriting(lambda who, part: None).file(DOMAIN, [account]))
            (tmp_path / f"xml/{account.localpart}@{DOMAIN}.xml").write_text(text_)
    server = Beside(tmp_path / "prosody")
    server.configure()
    (server.folder / "configured").touch()
    data = server.folder / "data"
    shutil.rmtree(data / DOMAIN.replace(".", "%2e"))
    said = migrate_in_prosody(tmp_path, ("xep0227", tmp_path / "xml"), ("internal", data))
    server.start()
    try:
        for user in ("juliet", "nurse"):
            assert server.do(f"return users.test_password('{user}', '{DOMAIN}', [[{PASSWORD}]])") == "true", said
        assert server.user("test_password", "juliet", DOMAIN, "other") != "true"
    finally:
        server.stop()
    with closing(open_driver(f"flatfile:{data}", tmp_path)) as driver:
        assert "Juliet Capulet" in str(driver.load("juliet", DOMAIN, "vcard")), said
        assert "romeo@montague.example" in str(driver.load("juliet", DOMAIN, "roster"))
        assert [item.id for item in driver.archive_find("juliet", DOMAIN, "archive")] == ["i"]


FILL = f"""
[ok = ejabberd_auth:try_register(U, {DOM}, {text(PASSWORD)}) || U <- [{JULIET}, {text("nurse")}, {text("paris")}, {text("tybalt")}]],
mod_admin_extra:set_vcard({JULIET}, {DOM}, <<"FN">>, <<"Juliet Capulet">>),
mod_admin_extra:set_vcard({text("nurse")}, {DOM}, <<"x y">>, <<"odd">>),
mod_admin_extra:add_rosteritem({JULIET}, {DOM}, <<"romeo">>, <<"montague.example">>, <<"Romeo">>, <<"Friends">>, <<"both">>),
mod_admin_extra:add_rosteritem({text("nurse")}, {DOM}, {JULIET}, {DOM}, <<"J">>, <<"Friends">>, <<"to">>),
mod_admin_extra:send_message(<<"chat">>, <<"romeo@montague.example">>, <<"juliet@{DOMAIN}">>, <<>>, <<"Neither, fair saint">>),
mod_admin_extra:private_set({JULIET}, {DOM}, <<"<storage xmlns='storage:bookmarks'><conference jid='c@example'/></storage>">>),
BansHide = erlang:function_exported(mod_admin_extra, ban_account_v2, 3),
BansHide andalso mod_admin_extra:ban_account_v2({text("paris")}, {DOM}, <<"Spam">>),
Kept = fun Kept(0) -> timeout; Kept(N) -> case mod_offline:count_offline_messages({JULIET}, {DOM}) of 1 -> ok; _ -> timer:sleep(100), Kept(N - 1) end end,
ok = Kept(100),
ok = ejabberd_piefxis:export_server("__FOLDER__"),
BansHide
"""
"""Accounts with what they can store, one with an odd vCard, and a ban, which since ejabberd 24.06 hides in private storage."""


@pytest.mark.parametrize(("password_format", "scram_hash"), [("plain", "sha"), ("scram", "sha"), ("scram", "sha256"), ("scram", "sha512")])
def test_from_ejabberd(run_ejabberd: Callable[..., ExportingEjabberd], tmp_path: Path, password_format: str, scram_hash: str) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    server = run_ejabberd(FILL.replace("__FOLDER__", str(folder)), password_format=password_format, scram_hash=scram_hash)
    assert server.said in ("true", "false"), server.said
    app, importing = imported(tmp_path, folder)
    (line,) = importing.said
    assert line.startswith(f"left out: nurse@{DOMAIN}: vCards: it is not well-formed")
    assert importing.report.count("accounts", WRITTEN) == 4
    assert any("a salt that is not text" in line for line in importing.report.lines()) == (password_format == "scram")
    sees_everything(app)
    client = app.test_client()
    for user, password, code in (("nurse", PASSWORD, 200), ("tybalt", PASSWORD, 200), ("juliet", "other", 401)):
        assert client.get("/api/contacts", headers=basic(f"{user}@{DOMAIN}", password)).status_code == code
    (contact,) = client.get("/api/contacts", headers=basic(f"nurse@{DOMAIN}", PASSWORD)).get_json()
    assert (contact["jid"], contact["subscription"]) == (f"juliet@{DOMAIN}", "to")

    paris = basic(f"paris@{DOMAIN}", PASSWORD)
    if server.said == "true":
        assert client.get("/api/contacts", headers=paris).status_code == 401
        gateway: AppGateway = app.extensions["gateway"]
        bans = Bans(gateway.driver, DOMAIN)
        assert bans.details(parse_jid(f"paris@{DOMAIN}"))["reason"] == "Spam"
        bans.unban(parse_jid(f"paris@{DOMAIN}"))
    assert client.get("/api/contacts", headers=paris).status_code == 200


def sees_everything(app: Flask) -> None:
    """What juliet sees over HTTP."""
    client, juliet = app.test_client(), basic(f"juliet@{DOMAIN}", PASSWORD)
    (contact,) = client.get("/api/contacts", headers=juliet).get_json()
    assert (contact["jid"], contact["subscription"]) == ("romeo@montague.example", "both")
    messages = client.get("/api/messages", headers=juliet).get_json()
    assert [message["body"] for message in messages] == ["Neither, fair saint"]
    card = client.get("/data/vcard", headers=juliet)
    assert card.status_code == 200
    assert "Juliet Capulet" in card.get_data(as_text=True)
    assert "c@example" in client.get("/data/private", headers=juliet).get_data(as_text=True)


@pytest.mark.parametrize(
    ("password_format", "scram_hash", "here"), [("scram", "sha", "SHA-1"), ("scram", "sha256", "SHA-256"), ("plain", "sha", "")]
)
def test_to_ejabberd(
    run_ejabberd: Callable[..., ExportingEjabberd], tmp_path: Path, password_format: str, scram_hash: str, here: str
) -> None:
    """`import_piefxis` takes an export, and people log in there."""
    with own_accounts(tmp_path, here) as driver:
        writing = AccountWriting(lambda who, part: None, twice=True)
        (tmp_path / "out.xml").write_text("".join(writing.file(DOMAIN, OwnAccounts(driver, DOMAIN).all())))
    erlang = (
        f'ok = ejabberd_piefxis:import_file("{tmp_path}/out.xml"), '
        f"{{[ejabberd_auth:check_password(U, <<>>, {DOM}, {text(PASSWORD)}) || U <- [{JULIET}, {text('nurse')}]], "
        f'ejabberd_auth:check_password({JULIET}, <<>>, {DOM}, <<"other">>), '
        f'mod_admin_extra:get_vcard({JULIET}, {DOM}, <<"FN">>), length(mod_admin_extra:get_roster({JULIET}, {DOM})), '
        f"mod_offline:count_offline_messages({JULIET}, {DOM})}}"
    )
    said = run_ejabberd(erlang, password_format=password_format, scram_hash=scram_hash).said
    assert "".join(said.split()) == '{[true,true],false,<<"JulietCapulet">>,1,1}'
