"""What real servers have written is imported, and people log in over HTTP with the password that they have; and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from drivers import ArchiveItem, open_driver
from drivers.stanzas import stanza_table
from tests.conftest import basic, build_app
from tests.importing.conftest import Importing
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.gateway.gateway import Gateway as AppGateway
from xmpp_rest.importing.own import OwnAccounts
from xmpp_rest.importing.report import WRITTEN
from xmpp_rest.importing.xep0227.writing import AccountWriting
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.accounts.bans import Bans
from xmpp_rest.service.contacts import roster
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.subscriptions import Side, SubscriptionState

from .conftest import require
from .exporting import ExportingEjabberd, text
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
    with closing(open_driver("sqlite:own.sqlite", tmp_path)) as driver:
        for user in ("juliet", "nurse"):
            record = Passwords(here, 4096).record(PASSWORD) if here else {"password": PASSWORD}
            driver.store(user, DOMAIN, "accounts", record)
        driver.store("juliet", DOMAIN, "vcard", stanza_table("<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>"))
        friend = Contact(parse_jid("romeo@montague.example"), SubscriptionState(Side.YES, Side.YES), "Romeo", ("Friends",))
        driver.store("juliet", DOMAIN, roster.ROSTER, roster.table_of([friend]))
        message = f"<message from='romeo@montague.example/o' to='juliet@{DOMAIN}' type='chat'><body>Ho</body></message>"
        for store in ("offline", "archive"):
            driver.archive_extend("juliet", DOMAIN, store, [ArchiveItem("i", 1795956362.0, "romeo@montague.example", message)])
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
