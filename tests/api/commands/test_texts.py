"""Texts that could never be sent are refused before they are stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN

SERVICE = f"conference.{DOMAIN}"
BAD = "a\x00b"
JULIET = {"user": "juliet", "host": DOMAIN}
NURSE = {"localuser": "juliet", "localhost": DOMAIN, "user": "nurse", "host": DOMAIN, "nick": "Nurse", "groups": [], "subs": "both"}
GROUP = {"group": "capulets", "host": DOMAIN, "label": "Capulets", "description": "", "display": []}
ROOM = {"room": "verona", "service": SERVICE}


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("add_rosteritem", NURSE | {"nick": BAD}),
        ("add_rosteritem", NURSE | {"groups": [BAD]}),
        ("srg_create", GROUP | {"group": BAD}),
        ("srg_create", GROUP | {"label": BAD}),
        ("srg_set_info", {"group": "capulets", "host": DOMAIN, "key": "label", "value": BAD}),
        ("set_last", JULIET | {"timestamp": 5, "status": BAD}),
        ("kick_session", JULIET | {"resource": "rest", "reason": BAD}),
        ("announce_send_all", {"host": DOMAIN, "subject": BAD, "body": "x"}),
        ("announce_send_online", {"host": DOMAIN, "subject": BAD, "body": "x"}),
        ("announce_motd_update", {"host": DOMAIN, "subject": BAD, "body": "x"}),
        ("announce_motd_set_online", {"host": DOMAIN, "subject": "x", "body": BAD}),
        ("send_direct_invitation", ROOM | {"password": "", "reason": BAD, "users": [f"juliet@{DOMAIN}"]}),
        ("send_direct_invitation/v0", ROOM | {"password": BAD, "reason": "", "users": f"juliet@{DOMAIN}"}),
        ("change_room_option", ROOM | {"option": "title", "value": BAD}),
        ("create_room_with_opts", ROOM | {"room": "mantua", "host": DOMAIN, "options": {"title": BAD}}),
    ],
)
def test_texts_that_cannot_be_sent(run: Run, command: str, args: dict[str, Any]) -> None:
    run("srg_create", GROUP)
    run("create_room", ROOM | {"host": DOMAIN})
    assert run(command, args) == (400, "the character U+0000 is not allowed in XML")
    assert run("get_roster", JULIET) == (200, [])
    assert run("announce_motd_get", {"host": DOMAIN}) == (200, {"subject": "", "body": ""})
    assert run("srg_list", {"host": DOMAIN}) == (200, ["capulets"])
    assert run("get_room_options", ROOM).body["title"] == ""
    assert run("muc_online_rooms_count", {"service": SERVICE}) == (200, 1)
