"""A gateway beside a room of another server, which answers by rules of the test, and a client that speaks HTTP to it."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, MakeApp, basic
from tests.link.network import Network
from tests.service.rooms.scripted import ACTOR, ROOM, Scripted
from xmpp_rest.protocol.namespaces import STANZA_ID
from xmpp_rest.protocol.stanza import child

OCCUPANT = f"juliet@{DOMAIN}/xmpp-rest"
JULIET = basic(f"juliet@{DOMAIN}")
NDJSON = "application/x-ndjson"
assert str(ACTOR) == f"juliet@{DOMAIN}"


class Elsewhere(Scripted):
    """`start()` before all else."""

    def __init__(self, make_app: MakeApp, network: Network) -> None:
        self._apps: list[Flask] = []

        def made(**given: str) -> Flask:
            self._apps.append(make_app(**given))
            return self._apps[-1]

        super().__init__(made, network)

    @property
    def client(self) -> FlaskClient:
        return self._apps[-1].test_client()

    def serve_by(self, app: Flask) -> None:
        """Speak to this application from now on."""
        self._apps.append(app)

    def streams(self) -> set[int]:
        """The numbers of the streams that are up; 0: none is."""
        assert self.gateway is not None
        return {self.gateway.parts.router.stream(DOMAIN)}

    @property
    def room(self) -> Any:
        return self.rooms[ROOM]

    @property
    def messages(self) -> list[Element]:
        """What came from the gateway to the room."""
        return [stanza for stanza in list(self.came) if stanza.tag == "message" and stanza.get("to") == ROOM]

    @property
    def bodies(self) -> list[str | None]:
        return [stanza.findtext("body") for stanza in self.messages]

    def post(self, body: str = "Hello", to: str = ROOM, fields: dict[str, str] | None = None, **members: Any) -> TestResponse:
        sender = {"from": members.pop("sender")} if "sender" in members else {}
        stanza = {"kind": "message", "type": "groupchat", "to": to, "body": body} | sender | members
        return self.client.post("/rest", json=stanza, headers=JULIET | (fields or {}))

    def wait(self, body: str = "Hello", seconds: int = 20, **members: Any) -> TestResponse:
        return self.post(body, fields={"Prefer": f"wait={seconds}"} | members.pop("fields", {}), **members)

    def outcome(self, identifier: str) -> dict[str, Any]:
        response = self.client.get(f"/rest/outcome/{identifier}", headers=JULIET)
        return response.get_json() if response.status_code == 200 else {"state": str(response.status_code)}


def stamped(identifier: str, by: str = ROOM) -> Element:
    """The id that a room gives a message."""
    return child(f"{{{STANZA_ID}}}stanza-id", id=identifier, by=by)
