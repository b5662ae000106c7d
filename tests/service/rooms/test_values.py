"""Values of rooms on other servers: what other processes and clients get (rooms-anywhere §5, §6.1)."""

from __future__ import annotations

import json

import pytest

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.rooms.refused import join_refused, message_refused
from xmpp_rest.service.rooms.values import Reason, RoomOccupant, RoomView, Subject

ROOM = "garden@conference.capulet.example"
VIEW = RoomView(
    "romeo@gateway.localhost/xmpp-rest", ROOM, "romeo", "joining", 1795946100.123,
    Reason("not-allowed", "no bots", (307, 110), "juliet", True, 1795946200.0), True, "request", "Garden", Subject("Tonight", "juliet"),
    "participant", "none", True, ("muc_semianonymous",), (RoomOccupant("juliet", "moderator", "owner", "juliet@capulet.example/balcony", "x"), RoomOccupant("romeo", "participant", "none")), 2,
)  # fmt: skip


def test_a_view_is_carried_to_other_processes() -> None:
    assert RoomView.from_json(json.loads(json.dumps(VIEW.to_json()))) == VIEW
    bare = RoomView("a@b/c", ROOM, "a", "in", 0.0)
    assert RoomView.from_json(json.loads(json.dumps(bare.to_json()))) == bare


def test_a_room_has_these_members() -> None:
    assert VIEW.details() == {
        "room": ROOM, "nick": "romeo", "state": "joining", "since": "2026-11-29T09:55:00.123Z",
        "reason": {"condition": "not-allowed", "text": "no bots", "status": [307, 110], "actor": "juliet", "rejoin": True, "next": "2026-11-29T09:56:40.000Z"},
        "stay": True, "by": "request", "name": "Garden", "subject": {"text": "Tonight", "nick": "juliet"}, "role": "participant", "affiliation": "none",
        "persistent": True, "features": ["muc_semianonymous"],
        "occupants": [
            {"nick": "juliet", "role": "moderator", "affiliation": "owner", "jid": "juliet@capulet.example/balcony", "occupant_id": "x"},
            {"nick": "romeo", "role": "participant", "affiliation": "none"},
        ],
        "occupants_total": 2,
    }  # fmt: skip
    assert list(VIEW.summary()) == ["room", "nick", "state", "since", "reason", "stay", "by"]


@pytest.mark.parametrize(
    ("kind", "condition", "status", "retry"),
    [
        ("cancel", "conflict", 409, None), ("auth", "not-authorized", 403, None), ("auth", "registration-required", 403, None),
        ("auth", "forbidden", 403, None), ("cancel", "not-allowed", 403, None), ("modify", "policy-violation", 403, None),
        ("cancel", "item-not-found", 404, None), ("cancel", "gone", 410, None), ("modify", "not-acceptable", 409, None),
        ("modify", "jid-malformed", 422, None), ("modify", "bad-request", 422, None), ("wait", "resource-constraint", 503, 30),
        ("wait", "service-unavailable", 503, 30), ("cancel", "service-unavailable", 404, None), ("cancel", "feature-not-implemented", 404, None),
        ("cancel", "remote-server-not-found", 502, None), ("wait", "remote-server-timeout", 504, None), ("wait", "internal-server-error", 502, None),
        ("cancel", "undefined-condition", 502, None),
    ],
)  # fmt: skip
def test_refusals_have_these_statuses_and_always_a_sentence(kind: str, condition: str, status: int, retry: int | None) -> None:
    for refused in (join_refused, message_refused):
        refusal = refused(StanzaError(kind, condition), ROOM)
        assert (refusal.status, refusal.retry_after, refusal.error.condition, refusal.by) == (status, retry, condition, ROOM)
        assert refusal.error.text
        assert refused(StanzaError(kind, condition, "own words"), ROOM).raised.error.text == "own words"
