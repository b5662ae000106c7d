"""What a real ejabberd has stored, in a database of each kind or in Mnesia, is there after an import: the passwords too."""

from __future__ import annotations

import configparser
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.cli.conftest import make_storage
from tests.conftest import PASSWORD as OF_ADMIN
from tests.conftest import basic, build_app
from tests.drivers.postgrescluster import Cluster
from tests.drivers.postgrescluster import program as postgres_program
from xmpp_rest.__main__ import main
from xmpp_rest.protocol.datetimes import parse_datetime

from .conftest import require
from .ejabberd_sql import EjabberdSQL
from .users import EventLoop, User
from .xmppserver import CONFERENCE, DOMAIN, GATEWAY, PASSWORD

KINDS = ("sqlite", "sqlite-new", "postgresql", "dump-standard", "dump-backslashes")
SCHEMA = Path("/usr/share/ejabberd/sql/pg.sql")
ROOMS = f"conference.{GATEWAY}"
NICK = "Jül \"x\" \\ 'é' Привет"
BODY = 'hi "nurse" \\n it\'s\nnew line é Привет'
TITLE = 'Балкон é "x"'
MUC = "http://jabber.org/protocol/muc"
PUBLISH = (
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:metadata'><item id='abc'>"
    "<metadata xmlns='urn:xmpp:avatar:metadata'/></item></publish></pubsub>"
)
COMMANDS: tuple[tuple[str, dict[str, object]], ...] = (
    ("set_nickname", {"user": "juliet", "host": DOMAIN, "nickname": NICK}),
    ("add_rosteritem", {"localuser": "juliet", "localhost": DOMAIN, "user": "nurse", "host": DOMAIN, "nick": "Nurse", "group": "Home", "subs": "both"}),
    ("add_rosteritem", {"localuser": "nurse", "localhost": DOMAIN, "user": "juliet", "host": DOMAIN, "nick": "J", "group": "", "subs": "both"}),
    ("private_set", {"user": "juliet", "host": DOMAIN, "element": "<storage xmlns='storage:bookmarks'><conference jid='x@y'/></storage>"}),
    ("create_room_with_opts", {"name": "balcony", "service": CONFERENCE, "host": DOMAIN,
                               "options": [{"name": "title", "value": TITLE}, {"name": "members_only", "value": "true"}, {"name": "max_users", "value": "50"}]}),
    ("set_room_affiliation", {"name": "balcony", "service": CONFERENCE, "jid": f"juliet@{DOMAIN}", "affiliation": "owner"}),
    ("set_room_affiliation", {"name": "balcony", "service": CONFERENCE, "jid": f"nurse@{DOMAIN}", "affiliation": "member"}),
    ("subscribe_room", {"user": f"nurse@{DOMAIN}", "nick": "Angelica", "room": f"balcony@{CONFERENCE}",
                        "nodes": "urn:xmpp:mucsub:nodes:messages,urn:xmpp:mucsub:nodes:subject"}),
    ("muc_register_nick", {"nick": "Ju", "jid": f"juliet@{DOMAIN}", "service": CONFERENCE}),
    ("srg_create", {"group": "g1", "host": DOMAIN, "label": "House", "description": "all of them", "display": "g1"}),
    ("srg_user_add", {"user": "juliet", "host": DOMAIN, "group": "g1", "grouphost": DOMAIN}),
    ("set_last", {"user": "paris", "host": DOMAIN, "timestamp": 1700000000, "status": "gone"}),
)  # fmt: skip


class Filled(NamedTuple):
    """A source that ejabberd has written, and whether it keeps bans."""

    source: str
    bans: bool


class Listening(NamedTuple):
    """A PostgreSQL with an address of its own."""

    cluster: Cluster
    address: str


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    """A PostgreSQL that ejabberd can reach, which has no way through a Unix socket: at a loopback address."""
    require("initdb", postgres_program("initdb"))
    cluster = Cluster()
    address = f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}.2"
    try:
        cluster.start(f"listen_addresses={address}")
        yield Listening(cluster, address)
    finally:
        cluster.stop()


def settings(kind: str, folder: Path, request: pytest.FixtureRequest) -> tuple[str, str]:
    """The lines of ejabberd's configuration, and the source of the import."""
    if kind in ("postgresql", "dump-backslashes"):
        cluster, address = request.getfixturevalue("listening")
        url = cluster.new_database()
        name = url.partition("@/")[2].partition("?")[0]
        with psycopg.connect(url) as connection:
            connection.execute(SCHEMA.read_bytes())
        lines = f'sql_type: pgsql\nsql_server: "{address}"\nsql_database: "{name}"\nsql_username: postgres\nsql_password: ""\n'
        return lines, f"ejabberd+{url}"
    new = "new_sql_schema: true\n" if kind == "sqlite-new" else ""
    return f'sql_type: sqlite\nsql_database: "{folder}/ejabberd.db"\n{new}', f"ejabberd+sqlite:{folder}/ejabberd.db"


@pytest.fixture(scope="module", params=KINDS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, event_loop_thread: EventLoop) -> Filled:
    """An ejabberd that was filled by commands and clients, and has ended."""
    require(EjabberdSQL.program)
    for driver in "sqlite3", "pgsql":
        require(f"erlang-p1-{driver}", next(map(str, Path("/usr/lib").glob(f"**/p1_{driver}-*/ebin")), None))
    folder = tmp_path_factory.mktemp("ejabberd")
    lines, source = settings(request.param, folder, request)
    server = EjabberdSQL(folder / "server", lines, stored=not request.param.startswith("dump"))
    try:
        server.start()
        fill(server, event_loop_thread)
        if request.param.startswith("dump"):
            server.api("export2sql", host=DOMAIN, file=f"{folder}/dump.sql")
            source = f"ejabberd+dump:{folder}/dump.sql"
        bans = server.knows("get_ban_details")
    finally:
        server.stop()
    return Filled(source, bans)


def fill(server: EjabberdSQL, loop: EventLoop) -> None:
    """Use ejabberd as people do."""
    server.register("paris")
    for name, arguments in COMMANDS:
        server.api(name, **arguments)
    server.newest("ban_account", user="tybalt", host=DOMAIN, reason="duels")
    juliet, nurse = User(loop, server, "juliet"), User(loop, server, "nurse")
    juliet.connect()
    nurse.connect()
    juliet.send_message(nurse.bare, BODY)
    nurse.wait_message(BODY)
    juliet.send_message(f"paris@{DOMAIN}", "you are offline")
    assert juliet.iq(juliet.bare, PUBLISH, "set").get("type") == "result"
    assert juliet.iq(juliet.bare, "<block xmlns='urn:xmpp:blocking'><item jid='spam@x.example'/></block>", "set").get("type") == "result"
    rules = "<list name='work'><item type='group' value='Home' action='deny' order='3'><message/></item></list>"
    assert nurse.iq(nurse.bare, f"<query xmlns='jabber:iq:privacy'>{rules}</query>", "set").get("type") == "result"
    prefs = f"<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>nurse@{DOMAIN}</jid></always><never/></prefs>"
    assert juliet.iq(juliet.bare, prefs, "set").get("type") == "result"
    juliet.send(f"<presence to='balcony@{CONFERENCE}/Jule'><x xmlns='{MUC}'/></presence>")
    juliet.wait_message()  # the subject, which ends the entering
    juliet.send_message(f"balcony@{CONFERENCE}", "in the room", "groupchat")
    juliet.wait_message("in the room")
    juliet.send(f"<message type='groupchat' to='balcony@{CONFERENCE}'><subject>Moon &amp; é</subject></message>")
    juliet.wait(lambda stanza: stanza.find("{*}subject") is not None)
    juliet.close()
    nurse.close()


@pytest.fixture(scope="module")
def imported(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a gateway after the import, dry run first."""
    folder = tmp_path_factory.mktemp("gateway")
    ini = configparser.ConfigParser()
    ini.read_dict(
        {
            "server": {"data_dir": str(folder / "data")},
            "gateway": {"domain": GATEWAY},
            "auth": {"admin_password": OF_ADMIN, "iterations": "4096"},
        }
    )
    with (folder / "wsgi.ini").open("w") as file:
        ini.write(file)
    words = [
        "--config",
        str(folder / "wsgi.ini"),
        "import",
        filled.source,
        "--domain",
        f"{DOMAIN}={GATEWAY}",
        "--domain",
        f"{CONFERENCE}={ROOMS}",
    ]
    make_storage(folder / "wsgi.ini")
    assert main([*words, "--dry-run"]) == 0
    assert main(words) == 0
    assert main(words) == 0  # everything is there
    return folder / "data"


@pytest.fixture(scope="module")
def client(imported: Path) -> Iterator[FlaskClient]:
    """HTTP to a gateway on what was imported."""
    app = build_app(imported, gateway_domain=GATEWAY)
    app.extensions["gateway"].start()
    yield app.test_client()
    app.extensions["gateway"].stop()


def command(client: FlaskClient, name: str, /, **arguments: object) -> Any:
    answer = client.post(f"/api/{name}", json=arguments, headers=basic(f"admin@{GATEWAY}"))
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def own(client: FlaskClient, user: str, path: str) -> Any:
    answer = client.get(path, headers=basic(f"{user}@{GATEWAY}", PASSWORD))
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def test_people_log_in_with_their_passwords(client: FlaskClient, filled: Filled) -> None:
    assert own(client, "juliet", "/api/contacts")
    assert client.get("/api/contacts", headers=basic(f"juliet@{GATEWAY}", "wrong")).status_code == 401
    assert client.get("/api/contacts", headers=basic(f"tybalt@{GATEWAY}", PASSWORD)).status_code in (401, 403)
    if filled.bans:
        details = command(client, "get_ban_details/v2", user="tybalt", host=GATEWAY)
        assert details["reason"] == "duels"
        command(client, "unban_account/v2", user="tybalt", host=GATEWAY)
        own(client, "tybalt", "/api/contacts")


def test_contacts_and_messages_are_there(client: FlaskClient) -> None:
    assert own(client, "juliet", "/api/contacts") == [{"jid": f"nurse@{GATEWAY}", "subscription": "both", "ask": "none"}]
    (roster,) = command(client, "get_roster", user="juliet", host=GATEWAY)
    assert (roster["nick"], roster["groups"]) == ("Nurse", ["Home"])
    for user, peer in (("juliet", "nurse"), ("nurse", "juliet")):
        (message,) = own(client, user, f"/api/messages/{peer}@{GATEWAY}")
        assert message["body"] == BODY
        assert message["from"].startswith(f"juliet@{GATEWAY}")
    assert command(client, "get_offline_count", user="paris", host=GATEWAY) == 1


def test_data_of_accounts_are_there(client: FlaskClient) -> None:
    assert command(client, "get_vcard", user="juliet", host=GATEWAY, name="NICKNAME") == NICK
    assert "x@y" in command(client, "private_get", user="juliet", host=GATEWAY, element="storage", ns="storage:bookmarks")
    last = command(client, "get_last", user="paris", host=GATEWAY)
    assert (last["timestamp"], last["status"]) == ("2023-11-14T22:13:20Z", "gone")
    assert command(client, "srg_get_members", group="g1", host=GATEWAY) == [f"juliet@{GATEWAY}"]


def test_rooms_are_there(client: FlaskClient) -> None:
    options = command(client, "get_room_options", name="balcony", service=ROOMS)
    wanted = {"title": TITLE, "members_only": "true", "max_users": "50", "mam": "true", "persistent": "true", "subject": "Moon & é"}
    assert {name: options[name] for name in wanted} == wanted
    affiliations = {
        (row["username"], row["domain"], row["affiliation"])
        for row in command(client, "get_room_affiliations", name="balcony", service=ROOMS)
    }
    assert affiliations == {("juliet", GATEWAY, "owner"), ("nurse", GATEWAY, "member")}
    assert command(client, "get_subscribers", name="balcony", service=ROOMS) == [f"nurse@{GATEWAY}"]
    (room,) = command(client, "get_user_subscriptions", user="nurse", host=GATEWAY)
    assert (room["roomjid"], room["usernick"]) == (f"balcony@{ROOMS}", "Angelica")
    assert sorted(room["nodes"]) == ["urn:xmpp:mucsub:nodes:messages", "urn:xmpp:mucsub:nodes:subject"]


def test_archives_have_the_ids_that_clients_know(client: FlaskClient) -> None:
    wanted = {
        ("juliet", f"juliet@{GATEWAY}"): [(f"juliet@{GATEWAY}/balcony", BODY), (f"juliet@{GATEWAY}/balcony", "you are offline")],
        ("nurse", f"balcony@{ROOMS}"): [(f"balcony@{ROOMS}/Jule", "in the room"), (f"balcony@{ROOMS}/Jule", None)],
    }
    for (user, place), messages in wanted.items():
        fields = {**basic(f"{user}@{GATEWAY}", PASSWORD), "Accept": "application/json"}
        *page, end = client.get(f"/rest/archive/{place}", headers=fields).get_json()["xmpp"]
        items = [stanza["archive"] for stanza in page]
        assert [(item["forward"]["message"]["from"], item["forward"]["message"].get("body")) for item in items] == messages
        assert end["result"]["page"] == {"first": items[0]["id"], "last": items[-1]["id"], "count": 2}
        for item in items:  # microseconds
            assert parse_datetime(item["forward"]["delay"]) == pytest.approx(int(item["id"]) / 1e6, abs=1e-5)
