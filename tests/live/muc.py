"""A room of a real server, as its owner has it, and an account of the gateway that comes to it over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import urllib3

from .gateway import Gateway
from .users import Entity
from .xmppserver import CONFERENCE, GATEWAY

MUC = "http://jabber.org/protocol/muc"
CONFIG = f"{MUC}#roomconfig"
Wanted = Callable[[ET.Element], bool]


def codes(stanza: ET.Element) -> set[str]:
    """The status codes of a presence (XEP-0045 §15.6.2)."""
    return {status.get("code", "") for status in stanza.iter(f"{{{MUC}#user}}status")}


class OwnRoom:
    """A room that juliet has made, and is in."""

    def __init__(self, juliet: Entity, name: str, **options: str) -> None:
        """`options`: of the room's form, the names without what all begin with."""
        self.room = f"{name}@{CONFERENCE}"
        self.enter(juliet)
        self.configure(**options)

    def enter(self, juliet: Entity) -> None:
        """Have a session of hers come in."""
        self.juliet = juliet
        juliet.send(f"<presence to='{self.room}/Juliet'><x xmlns='{MUC}'/></presence>")
        juliet.wait(lambda s: s.get("from") == f"{self.room}/Juliet" and "110" in codes(s))

    def configure(self, **options: str) -> None:
        """Set these options, and leave the others as they are."""
        fields = {"FORM_TYPE": CONFIG} | {f"muc#roomconfig_{name}": value for name, value in options.items()}
        form = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
        answer = self.juliet.iq(self.room, f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'>{form}</x></query>", "set")
        assert answer.get("type") == "result", ET.tostring(answer)

    def change(self, *item: str, reason: str = "Too loud") -> None:
        """Change a role or an affiliation, as the owner may."""
        query = f"<query xmlns='{MUC}#admin'><item {' '.join(item)}><reason>{reason}</reason></item></query>"
        answer = self.juliet.iq(self.room, query, "set")
        assert answer.get("type") == "result", ET.tostring(answer)

    def nicks(self) -> set[str]:
        """Who is in, but for moderators, as the room has it."""
        answer = self.juliet.iq(self.room, f"<query xmlns='{MUC}#admin'><item role='participant'/></query>")
        assert answer.get("type") == "result", ET.tostring(answer)
        return {item.get("nick", "") for item in answer.iter(f"{{{MUC}#admin}}item")}

    def destroy(self, alternate: str = "") -> None:
        """The room is no more."""
        place = f" jid='{alternate}'" if alternate else ""
        query = f"<query xmlns='{MUC}#owner'><destroy{place}><reason>Over</reason></destroy></query>"
        assert self.juliet.iq(self.room, query, "set").get("type") == "result"

    def about(self, nick: str, kind: str | None) -> Wanted:
        """Tells a presence of this occupant."""
        return lambda s: s.tag.endswith("}presence") and s.get("from") == f"{self.room}/{nick}" and s.get("type") == kind

    def sees(self, nick: str, kind: str | None = None, timeout: float = 30.0) -> ET.Element:
        """What juliet sees of this occupant: coming, or with `unavailable` going."""
        return self.juliet.wait(self.about(nick, kind), timeout)

    def hears(self, body: str, timeout: float = 30.0) -> ET.Element:
        """The message with this text, in the room."""
        return self.juliet.wait(lambda s: s.get("type") == "groupchat" and s.findtext("{*}body") == body, timeout)


class Guest:
    """An account of the gateway, and what it does in rooms."""

    def __init__(self, gateway: Gateway, user: str) -> None:
        self.gateway = gateway
        self.user = user

    @property
    def occupant(self) -> str:
        """Its address in rooms."""
        return f"{self.user}@{GATEWAY}/xmpp-rest"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        """A request below /rest/rooms."""
        data = None if body is None else json.dumps(body)
        kind = "" if body is None else "application/json"
        return self.gateway.request(method, f"/rest/rooms{path}", data, kind, self.user, **headers)

    def put(self, room: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        """Join."""
        return self.ask("PUT", f"/{room}", body, **headers)

    def view(self, room: str) -> dict[str, Any]:
        """The membership."""
        answer = self.ask("GET", f"/{room}")
        assert answer.status == 200, answer.data
        found: dict[str, Any] = answer.json()
        return found

    def until(self, room: str, state: str, timeout: float = 30.0) -> dict[str, Any]:
        """The membership once its state is this. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while (found := self.view(room))["state"] != state:
            if time.monotonic() > deadline:
                raise TimeoutError(str(found))
            time.sleep(0.05)
        return found

    def until_listed(self, room: str, nick: str, timeout: float = 30.0) -> None:
        """Wait until this occupant is known to be in the room. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while nick not in [occupant["nick"] for occupant in self.view(room)["occupants"]]:
            if time.monotonic() > deadline:
                raise TimeoutError(nick)
            time.sleep(0.05)

    def say(self, room: str, body: str, wait: int | None = 10, **more: Any) -> urllib3.BaseHTTPResponse:
        """One message to a room."""
        headers = {} if wait is None else {"Prefer": f"wait={wait}"}
        headers |= {name: more.pop(name) for name in ("Nick",) if name in more}
        return self.gateway.post_json({"kind": "message", "type": "groupchat", "to": room, "body": body} | more, self.user, **headers)

    def outcome(self, identifier: str) -> dict[str, Any]:
        """What is known of a message."""
        found: dict[str, Any] = self.gateway.request("GET", f"/rest/outcome/{identifier}", user=self.user).json()
        return found
