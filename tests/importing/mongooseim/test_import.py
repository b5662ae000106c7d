"""People whose MongooseIM has ended go on here: they log in, and find their rooms and messages by HTTP."""

from __future__ import annotations

import configparser
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.cli.conftest import make_storage
from tests.conftest import basic, build_app
from tests.importing.erlang.terms import cdata, element, encode_term
from tests.importing.sql.filled import fill
from xmpp_rest.__main__ import main
from xmpp_rest.auth.passwords import derive

HOST, LIGHT = "montague.example", "muclight.montague.example"
GATEWAY, ROOMS = "gateway.example", "muclight.gateway.example"
PASSWORD = "Höhere Mächte"
WHEN = 1796013928435309 << 8
SALT = b"\xff\x00sixteen bytes\xfe"


def details() -> str:
    """`mongoose_scram:serialize` of PASSWORD, for SHA-256."""
    keys = derive(PASSWORD, SALT, 4096, "sha256")
    salt, stored, server = (b64encode(part).decode() for part in (SALT, bytes.fromhex(keys.stored_key), bytes.fromhex(keys.server_key)))
    return f"==MULTI_SCRAM==,4096,==SHA256=={salt}|{stored}|{server}"


def message(body: str, kind: str, **attributes: str) -> bytes:
    return encode_term(element("message", {"type": kind, **attributes}, element("body", {}, cdata(body))), compressed=True)


TABLES: dict[str, list[dict[str, Any]]] = {
    "users": [{"username": user, "server": HOST, "password": "", "pass_details": details(), "created_at": None} for user in ("romeo", "mercutio")],
    "rosterusers": [{"server": HOST, "username": "romeo", "jid": f"mercutio@{HOST}", "nick": "M", "subscription": "B", "ask": "N", "askmessage": ""}],
    "mam_server_user": [{"id": 1, "server": HOST, "user_name": "romeo"}, {"id": 2, "server": LIGHT, "user_name": "garden"}],
    "mam_message": [
        {"id": WHEN, "user_id": 1, "from_jid": "/x", "remote_bare_jid": "mercutio", "direction": "O", "message": message("hi", "chat", to=f"mercutio@{HOST}")},
        {"id": WHEN + 256, "user_id": 1, "from_jid": "mercutio/y", "remote_bare_jid": "mercutio", "direction": "I", "message": message("ho", "chat")},
    ],
    "muc_light_rooms": [{"id": 7, "luser": "garden", "lserver": LIGHT, "version": "v"}],
    "muc_light_occupants": [{"room_id": 7, "luser": user, "lserver": HOST, "aff": aff} for user, aff in (("romeo", 1), ("mercutio", 2))],
    "muc_light_config": [{"room_id": 7, "opt": opt, "val": val} for opt, val in (("roomname", "Garden"), ("subject", "Tonight"))],
    "muc_light_blocking": [{"luser": "mercutio", "lserver": HOST, "what": 2, "who": f"romeo@{HOST}"}],
    "mam_muc_message": [{"id": WHEN, "room_id": 2, "nick_name": f"romeo@{HOST}", "message": message("in the garden", "groupchat")}],
}  # fmt: skip


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    fill(tmp_path / "mongooseim.db", TABLES)
    ini = configparser.ConfigParser()
    ini.read_dict({"server": {"data_dir": str(tmp_path / "data")}, "gateway": {"domain": GATEWAY}, "auth": {"iterations": "4096"}})
    with (tmp_path / "wsgi.ini").open("w") as file:
        ini.write(file)
    words = ["--config", str(tmp_path / "wsgi.ini"), "import", f"mongooseim+sqlite:{tmp_path}/mongooseim.db"]
    words += ["--domain", f"{HOST}={GATEWAY}", "--domain", f"{LIGHT}={ROOMS}"]
    make_storage(tmp_path / "wsgi.ini")
    assert main([*words, "--dry-run"]) == 0
    assert main(words) == 0
    assert main([*words, "--on-conflict", "fail"]) == 1
    app = build_app(tmp_path / "data", gateway_domain=GATEWAY)
    app.extensions["gateway"].start()
    yield app.test_client()
    app.extensions["gateway"].stop()


def got(client: FlaskClient, path: str, user: str = "romeo") -> Any:
    answer = client.get(path, headers=basic(f"{user}@{GATEWAY}", PASSWORD))
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def test_what_mongooseim_had_is_there(client: FlaskClient) -> None:
    assert got(client, "/api/contacts") == [{"jid": f"mercutio@{GATEWAY}", "subscription": "both", "ask": "none"}]
    messages = got(client, f"/api/messages/mercutio@{GATEWAY}")
    assert [(each["body"], each["from"], each["timestamp"]) for each in messages] == [
        ("hi", f"romeo@{GATEWAY}", 1796013928435), ("ho", f"mercutio@{GATEWAY}", 1796013928435),
    ]  # fmt: skip
    (room,) = got(client, "/api/rooms", "mercutio")
    assert (room["id"], room["name"], room["subject"]) == ("garden", "Garden", "Tonight")
    participants = got(client, "/api/rooms/garden")["participants"]
    assert sorted((each["user"], each["role"]) for each in participants) == [
        (f"mercutio@{GATEWAY}", "member"),
        (f"romeo@{GATEWAY}", "owner"),
    ]
    (said,) = got(client, "/api/rooms/garden/messages", "mercutio")
    assert (said["body"], said["from"]) == ("in the garden", f"romeo@{GATEWAY}")


def test_who_was_blocked_stays_blocked(client: FlaskClient) -> None:
    fields = basic(f"romeo@{GATEWAY}", PASSWORD)
    assert client.put("/api/rooms/attic", json={"name": "Attic", "subject": ""}, headers=fields).status_code in (200, 201)
    client.post("/api/rooms/attic/users", json={"user": f"mercutio@{GATEWAY}"}, headers=fields)
    assert [each["user"] for each in got(client, "/api/rooms/attic")["participants"]] == [f"romeo@{GATEWAY}"]
