"""What a room sends to many is made once, and kept on disk once."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import pytest

from tests.conftest import MakeApp
from tests.link.fake import attach
from tests.service.muc.hall import ROMEO, ROOM, Hall
from xmpp_rest.protocol.element import serialise

CROWD = [f"guest{n}@verona.example/x" for n in range(30)]


class Crowd(Hall):
    """A room full of people, and how often something was given to the link."""

    def __init__(self, make_app: MakeApp) -> None:
        super().__init__(make_app(conference_persistent="yes"))
        self.enter(ROMEO)
        for who in CROWD:
            self.presence(who, who.partition("@")[0])
        self.inbox.clear()
        self.calls: list[int] = []
        attach(self.gateway.parts.router, self._one, self._many)

    def _one(self, domain: str, stanza: Element) -> None:
        self.calls.append(1)
        self._out(domain, stanza)

    def _many(self, domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        self.calls.append(len(stanzas))
        assert list(texts) == list(map(serialise, stanzas))
        for stanza in stanzas:
            self._out(domain, stanza)


@pytest.fixture
def crowd(make_app: MakeApp) -> Crowd:
    return Crowd(make_app)


def test_a_message_is_one_call(crowd: Crowd) -> None:
    crowd.say(ROMEO, "hark")
    assert crowd.calls == [len(CROWD) + 1]
    assert [stanza.findtext("body") for who in (ROMEO, *CROWD) for stanza in crowd.take(who)] == ["hark"] * (len(CROWD) + 1)


def test_entering_and_leaving_are_few_calls(crowd: Crowd) -> None:
    crowd.presence("late@verona.example/x", "late")
    assert len(crowd.calls) <= 6  # the occupants, themselves twice, the history, the subject
    came = crowd.take("late@verona.example/x", "presence")
    assert len(came) == len(CROWD) + 2
    assert came[-1].get("from") == f"{ROOM}/late"
    crowd.calls.clear()
    crowd.presence("late@verona.example/x", "late", inner="", kind="unavailable")
    assert len(crowd.calls) <= 3
    assert all(len(crowd.take(who, "presence")) == 2 for who in CROWD)


def test_reserved_nicks_are_read_once(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd.rooms.reserve_nick("Nurse", "nurse@verona.example")
    load, loaded = crowd.gateway.driver.load, []

    def counting(user: str | None, host: str, store: str) -> object:
        loaded.append(store)
        return load(user, host, store)

    monkeypatch.setattr(crowd.gateway.driver, "load", counting)
    for n in range(5):
        crowd.presence(f"late{n}@verona.example/x", f"late{n}")
    assert loaded.count("muc_registered") == 1
    assert crowd.rooms.reserved_nick("nurse@verona.example") == "Nurse"
    crowd.rooms.reserve_nick("Angelica", "nurse@verona.example")
    assert crowd.rooms.reserved_nick("nurse@verona.example") == "Angelica"
    assert crowd.presence("late9@verona.example/x", "Angelica") is not None
    crowd.rooms.release_nick("nurse@verona.example")
    assert crowd.presence("late9@verona.example/x", "Angelica") is None
