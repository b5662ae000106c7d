"""What `xmpp-rest send --room` says of rooms that answer late, otherwise, or not at all (cli/in_room.py)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from xmpp_rest.cli.access import Access, Answer, Deadline, Happened, Interrupted
from xmpp_rest.cli.in_room import Visit

ROOM = "garden@conference.montague.example"
SENT: Answer = {"outcome": "accepted"}
FAILED: Answer = {"outcome": "error", "code": 503, "error": {"condition": "resource-constraint"}}
Rule = Callable[[dict[str, Any]], "tuple[Answer, list[dict[str, Any]]]"]


class Scripted:
    """A gateway to a room: what `rules` say of each kind of stanza, and what comes by that."""

    def __init__(self, **rules: Rule) -> None:
        self.rules: dict[str, Rule] = {"iq": _is_there, "presence": _comes_in, "message": _shows} | rules
        self.came: list[dict[str, Any]] = []
        self._events: list[dict[str, Any] | None] = [None]
        self.ends_with: Exception | None = None

    def send(self, lines: Sequence[bytes], wait: Deadline) -> list[Answer]:
        assert not wait.left
        (stanza,) = (json.loads(line) for line in lines)
        self.came.append(stanza)
        if stanza.get("type") == "unavailable":
            return [SENT]
        answer, events = self.rules[stanza["kind"]](stanza)
        self._events += [{"kind": stanza["kind"], "to": "juliet@capulet.example/else", "from": f"{ROOM}/juliet"}, *events]
        return [answer]

    def events(self, account: str | None, after: str | None, until: Deadline) -> Iterator[Happened | None]:
        assert (account, after) == ("juliet@capulet.example", None)
        while self._events:
            stanza = self._events.pop(0)
            yield None if stanza is None else Happened("", 0.0, stanza)
        if self.ends_with is not None:
            raise self.ends_with
        yield None

    def speak(self, seconds: float = 30, text: str = "Hello", subject: str = "") -> Answer:
        return Visit(cast("Access", self), "juliet@capulet.example", ROOM, Deadline(seconds)).speak(text, subject)

    @property
    def kinds(self) -> list[str]:
        return [stanza.get("type", "") if stanza["kind"] == "presence" else stanza["kind"] for stanza in self.came]


def _is_there(stanza: dict[str, Any]) -> tuple[Answer, list[dict[str, Any]]]:
    return SENT | {"answer": {"kind": "iq", "type": "result"}}, []


def _comes_in(stanza: dict[str, Any]) -> tuple[Answer, list[dict[str, Any]]]:
    return SENT, [{"kind": "presence", "to": stanza["from"], "from": stanza["to"]}]


def _shows(stanza: dict[str, Any]) -> tuple[Answer, list[dict[str, Any]]]:
    return SENT, [stanza | {"to": stanza["from"], "from": f"{ROOM}/juliet"}]


def refuses(condition: str) -> Rule:
    def rule(stanza: dict[str, Any]) -> tuple[Answer, list[dict[str, Any]]]:
        return SENT, [
            {"kind": stanza["kind"], "type": "error", "to": stanza["from"], "id": stanza.get("id"), "error": {"condition": condition}}
        ]

    return rule


def silent(stanza: dict[str, Any]) -> tuple[Answer, list[dict[str, Any]]]:
    return SENT, []


def unsent(stanza: dict[str, Any]) -> tuple[Answer, list[dict[str, Any]]]:
    return FAILED, []


IN_AND_OUT = ["iq", "", "message", "unavailable"]


def test_what_the_room_shows_under_another_id_is_known() -> None:
    def shows(stanza: dict[str, Any]) -> tuple[Answer, list[dict[str, Any]]]:
        answer, (shown,) = _shows(stanza)
        return answer, [shown | {"from": f"{ROOM}/other", "id": "x"}, shown | {"id": "y"}]

    room = Scripted(message=shows)
    answer = room.speak(subject="Tonight")
    assert (answer["outcome"], room.kinds, room.came[2]["subject"]) == ("reflected", IN_AND_OUT, "Tonight")
    assert len({stanza["from"] for stanza in room.came}) == 1
    assert answer["id"] == room.came[2]["id"]


@pytest.mark.parametrize(
    ("rules", "outcome", "condition", "kinds"),
    [
        ({"iq": unsent}, "error", "resource-constraint", ["iq"]),
        ({"presence": unsent}, "error", "resource-constraint", ["iq", ""]),
        ({"presence": refuses("forbidden")}, "refused", "forbidden", ["iq", ""]),
        ({"message": unsent}, "error", "resource-constraint", IN_AND_OUT),
        ({"message": refuses("not-allowed")}, "refused", "not-allowed", IN_AND_OUT),
    ],
)
def test_refusals_and_failures(rules: dict[str, Rule], outcome: str, condition: str, kinds: list[str]) -> None:
    room = Scripted(**rules)
    answer = room.speak()
    assert (answer["outcome"], answer["error"]["condition"], room.kinds) == (outcome, condition, kinds)


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_a_room_that_lets_nobody_in_within_the_time(seconds: float) -> None:
    room = Scripted(presence=silent)
    answer = room.speak(seconds)
    assert (answer["outcome"], answer["code"], answer["error"]["condition"]) == ("error", 504, "remote-server-timeout")
    assert answer["error"]["text"] == "the room did not let anybody in within the time"
    assert room.kinds == ["iq", ""]


def test_a_room_that_does_not_show_the_message() -> None:
    room = Scripted(message=silent)
    answer = room.speak()
    assert (answer, room.kinds) == ({"id": room.came[2]["id"], "outcome": "accepted"}, IN_AND_OUT)


def test_events_that_end() -> None:
    room = Scripted(message=silent)
    room.ends_with = Interrupted("the gateway stops")
    answer = room.speak()
    assert (answer["outcome"], answer["code"], answer["error"]["text"]) == (
        "error", 504, "the events of the room ended: the gateway stops",
    )  # fmt: skip
    assert room.kinds == IN_AND_OUT  # it has left nevertheless
