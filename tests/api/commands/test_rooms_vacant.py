"""Rooms that a command has made, and that nobody has entered, are removed after a while ([conference] unused_after)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from drivers import StorageError
from tests.conftest import DOMAIN, MakeApp, basic
from xmpp_rest.gateway.gateway import Gateway

SERVICE = f"conference.{DOMAIN}"
ADMIN = basic(f"admin@{DOMAIN}")
OPTIONS = {"kept": {"persistent": "true"}, "subscribed": {"allow_subscription": "true", "subscribers": f"juliet@{DOMAIN}=Juliet=messages"}}


class Served:
    """A gateway whose rooms go after a second."""

    def __init__(self, make_app: MakeApp, **settings: str) -> None:
        app = make_app(**{"conference_unused_after": "1"} | settings)
        self.gateway: Gateway = app.extensions["gateway"]
        self.gateway.parts.accounts.register(self.gateway.parts.accounts.address("nurse", DOMAIN), "R0m30")
        self._client = app.test_client()

    def run(self, command: str, **args: Any) -> Any:
        return self._client.post(f"/api/{command}", data=json.dumps({"service": SERVICE} | args), headers=ADMIN).get_json()

    def create(self, room: str, **options: str) -> None:
        assert self.run("create_room_with_opts", room=room, host=DOMAIN, options=options) == 0

    def presence(self, room: str, kind: str | None = None) -> None:
        stanza = {"kind": "presence", "to": f"{room}@{SERVICE}/N", "muc": {}, "from": f"nurse@{DOMAIN}/phone"} | ({"type": kind} if kind else {})
        assert self._client.post("/rest", json=stanza, headers=basic("nurse", "R0m30")).status_code in (200, 202)

    def rooms(self) -> list[str]:
        found: list[str] = self.run("muc_online_rooms")
        return [jid.partition("@")[0] for jid in found]


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def test_what_nobody_enters_goes(make_app: MakeApp) -> None:
    served = Served(make_app)
    for room in ("kept", "subscribed", "visited", "lonely"):
        served.create(room, **OPTIONS.get(room, {}))
    served.presence("visited")
    until(lambda: "lonely" not in served.rooms())
    served.create("late")  # gone once its own time is over: the others have had theirs twice
    until(lambda: "late" not in served.rooms())
    assert served.rooms() == ["kept", "subscribed", "visited"]
    served.presence("visited", "unavailable")
    assert served.rooms() == ["kept", "subscribed"]
    assert served.run("unsubscribe_room", user="juliet", host=DOMAIN, room="subscribed") == 0
    assert served.rooms() == ["kept"]


def test_a_room_that_is_persistent_no_more_has_its_time(make_app: MakeApp) -> None:
    served = Served(make_app)
    served.create("verona", persistent="true")
    served.create("lonely")
    until(lambda: "lonely" not in served.rooms())
    before = time.monotonic()
    assert served.run("change_room_option", room="verona", option="persistent", value="false") == 0
    until(lambda: "verona" not in served.rooms())
    assert time.monotonic() - before >= 1


def test_a_name_is_free_again(make_app: MakeApp) -> None:
    served = Served(make_app)
    for _ in range(2):
        served.create("verona", affiliations=f"owner=juliet@{DOMAIN}")
        until(lambda: not served.rooms())
    served.create("verona")
    assert served.run("get_room_affiliations", room="verona") == []


def test_rooms_that_stay(make_app: MakeApp) -> None:
    going, staying = Served(make_app), Served(make_app, conference_unused_after="0")
    for served in (staying, going):
        served.create("lonely")
    until(lambda: not going.rooms())
    assert staying.rooms() == ["lonely"]


def test_a_storage_that_fails_costs_no_room_its_end(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(make_app)
    history = served.gateway.parts.conference._rooms.history  # type: ignore[union-attr]
    forget, tried = history.forget, list[str]()

    def failing(room: Any) -> None:
        tried.append(room.jid.local)
        if room.jid.local == "stuck" and tried.count("stuck") < 3:
            raise StorageError("the disk is full")
        forget(room)

    for room in ("stuck", "lonely"):
        served.create(room)
    monkeypatch.setattr(history, "forget", failing)
    until(lambda: "lonely" not in served.rooms())
    assert served.run("get_room_options", room="stuck")["title"] == ""
    until(lambda: not served.rooms())
    assert tried.count("stuck") == 3
