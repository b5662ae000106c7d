"""`xmpp-rest send --room`: enters a room, speaks, and leaves it, with stanzas of XEP-0045 that any room understands."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from xmpp_rest.cli.access import Access, Answer, Deadline, Happened, Interrupted
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import new_id

DONE = frozenset(("accepted", "written", "confirmed", "delivered", "answered"))


class Visit:
    """One occupant of one room, from a resource of its own, so that others of the account stay in."""

    def __init__(self, gateway: Access, sender: str, room: str, wait: Deadline) -> None:
        self._gateway = gateway
        self._wait = wait
        account = parse_jid(sender).bare
        self._room = str(parse_jid(room).bare)
        self._as = str(account._replace(resource=f"send-{secrets.token_hex(4)}"))
        self._place = str(parse_jid(f"{self._room}/{account.local}"))
        self._events = gateway.events(str(account), None, wait)

    def speak(self, text: str, subject: str) -> Answer:
        """Enter, say it, wait until the room has shown it, and leave; what became of the message."""
        try:
            next(self._events, None)  # from now on nothing of what the room says is missed
            if (refused := self._enter()) is not None:
                return refused
            try:
                return self._say(text, subject)
            finally:
                self._send({"kind": "presence", "type": "unavailable", "to": self._place})
        except Interrupted as e:
            return _unanswered(f"the events of the room ended: {e}")

    def _enter(self) -> Answer | None:
        """Enter the room, unless it is not there; why not."""
        known = self._send({"kind": "iq", "type": "get", "to": self._room, "disco": True})
        if known["outcome"] == "error" or known.get("answer", {}).get("type") == "error":
            error = known.get("error") or known["answer"].get("error", {})
            if known["outcome"] == "error" or error.get("condition") == "item-not-found":  # entering would make it
                return known if known["outcome"] == "error" else {"outcome": "refused", "error": error}
        sent = self._send({"kind": "presence", "to": self._place, "muc": {"history": {"maxstanzas": 0}}})
        if sent["outcome"] not in DONE:
            return sent
        stanza = self._await(lambda stanza: stanza.get("kind") == "presence" and (_is_error(stanza) or stanza.get("from") == self._place))
        if stanza is None:
            return _unanswered("the room did not let anybody in within the time")
        return {"outcome": "refused", "error": stanza.get("error", {})} if _is_error(stanza) else None

    def _say(self, text: str, subject: str) -> Answer:
        identifier = new_id()
        message = {"kind": "message", "type": "groupchat", "to": self._room, "id": identifier, "body": text}
        sent = self._send(message | ({"subject": subject} if subject else {}))
        if sent["outcome"] not in DONE:
            return sent
        stanza = self._await(lambda stanza: stanza.get("kind") == "message" and self._is_answer(stanza, identifier, text))
        if stanza is None:
            return {"id": identifier, "outcome": "accepted"}
        error = {"error": stanza.get("error", {})} if _is_error(stanza) else {}
        return {"id": identifier, "outcome": "refused" if error else "reflected"} | error

    def _is_answer(self, stanza: dict[str, Any], identifier: str, text: str) -> bool:
        """Whether it is the room's copy of the message, or its refusal; some rooms give the copy an id of their own."""
        if stanza.get("id") == identifier:
            return True
        return stanza.get("from") == self._place and stanza.get("body") == text

    def _await(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """The first stanza to this occupant that fits; None if none comes in time."""
        for happened in self._to_me():
            if happened is not None and fits(happened.stanza):
                return happened.stanza
            if not self._wait.left:
                return None
        return None

    def _to_me(self) -> Iterator[Happened | None]:
        for happened in self._events:
            yield happened if happened is None or happened.stanza.get("to") == self._as else None

    def _send(self, stanza: dict[str, Any]) -> Answer:
        (answer,) = self._gateway.send([json.dumps(stanza | {"from": self._as}).encode()], Deadline(0))
        return answer


def _is_error(stanza: dict[str, Any]) -> bool:
    return stanza.get("type") == "error"


def _unanswered(text: str) -> Answer:
    return {"outcome": "error", "code": 504, "error": {"condition": "remote-server-timeout", "text": text}}
