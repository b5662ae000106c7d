"""What a reader of a topic gets: since, filters, and how a message is shown (hooks §13.3)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.fields import Parameters
from xmpp_rest.api.ntfy.filters import Filters, read_filters
from xmpp_rest.api.ntfy.messages import notice, shown
from xmpp_rest.api.ntfy.since import From, Since, chosen, read_since
from xmpp_rest.service.hooks.published import PublishedMessage

NOW = 1_800_000_000.0


def in_query(query: dict[str, str]) -> Parameters:
    return Parameters(lambda _: None, query)


@pytest.mark.parametrize(
    ("text", "poll", "since"),
    [
        ("", False, Since(From.NONE)),
        ("", True, Since(From.ALL)),
        ("all", False, Since(From.ALL)),
        ("none", True, Since(From.NONE)),
        ("latest", False, Since(From.LATEST)),
        ("nFS3knfcQ1xe", False, Since(From.ID, id="nFS3knfcQ1xe")),
        ("123456789012", False, Since(From.ID, id="123456789012")),
        ("1635528757", False, Since(From.TIME, time=1635528757.0)),
        ("10m", False, Since(From.TIME, time=NOW - 600)),
        ("1h30m", False, Since(From.TIME, time=NOW - 5400)),
        ("1.5h", False, Since(From.TIME, time=NOW - 5400)),
        ("2d", False, Since(From.TIME, time=NOW - 172800)),
    ],
)
def test_since(text: str, poll: bool, since: Since) -> None:
    assert read_since(text, NOW, poll=poll) == since


@pytest.mark.parametrize("text", ["yesterday", "10 m", "10x", "nFS3knfcQ1x-", "1e9", "m"])
def test_other_values_of_since_are_refused(text: str) -> None:
    with pytest.raises(NtfyError) as e:
        read_since(text, NOW, poll=False)
    assert e.value.code == 40008


MESSAGES = [PublishedMessage(f"{n:012}", NOW - 50 + 10 * n) for n in range(7)]  # the last one waits


@pytest.mark.parametrize(
    ("since", "numbers"),
    [
        (Since(From.ALL), [0, 1, 2, 3, 4, 5, 6]),
        (Since(From.NONE), []),
        (Since(From.LATEST), [5]),
        (Since(From.ID, id=f"{3:012}"), [4, 5, 6]),
        (Since(From.ID, id="x" * 12), [0, 1, 2, 3, 4, 5, 6]),
        (Since(From.TIME, time=NOW - 10), [4, 5, 6]),
    ],
)
def test_what_is_chosen(since: Since, numbers: list[int]) -> None:
    assert [int(message.id) for message in chosen(MESSAGES, since, NOW)] == numbers


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({}, True),
        ({"id": "1"}, True),
        ({"id": "2"}, False),
        ({"m": "hot"}, True),
        ({"message": "ho"}, False),
        ({"title": "CPU"}, True),
        ({"t": "cpu"}, False),
        ({"priority": "4"}, True),
        ({"p": "1,high"}, True),
        ({"p": "3"}, False),
        ({"tags": "fire"}, True),
        ({"ta": "fire, web1"}, True),
        ({"tags": "fire,web2"}, False),
        ({"id": "1", "tags": "web2"}, False),
    ],
)
def test_filters(query: dict[str, str], fits: bool) -> None:
    message = {"id": "1", "message": "hot", "title": "CPU", "priority": 4, "tags": ["web1", "fire"]}
    assert read_filters(in_query(query)).fit(message) is fits


def test_a_message_without_a_priority_has_the_default() -> None:
    assert Filters(priorities=frozenset({3})).fit({"message": "m"})
    with pytest.raises(NtfyError):
        read_filters(in_query({"p": "3,9"}))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"message": "m"}, {"message": "m"}),
        ({"message": "m", "title": "t", "priority": 5, "tags": ["a"]}, {"message": "m", "title": "t", "priority": 5, "tags": ["a"]}),
        ({"message": "m", "priority": 9, "tags": "a", "title": 7, "topic": "hk_x"}, {"message": "m"}),
        ({"message": "m", "markdown": True}, {"message": "m", "content_type": "text/markdown"}),
        ({"message": "m", "attach": "https://e.net/a/b%20c.jpg?x"}, {"message": "m", "attachment": {"name": "b c.jpg", "url": "https://e.net/a/b%20c.jpg?x"}}),
        ({"message": "m", "attach": "https://e.net"}, {"message": "m", "attachment": {"name": "attachment", "url": "https://e.net"}}),
        ({"message": "m", "attach": "https://[", "filename": "f"}, {"message": "m", "attachment": {"name": "f", "url": "https://["}}),
    ],
)
def test_how_a_message_is_shown(members: dict[str, Any], told: dict[str, Any]) -> None:
    message = shown(PublishedMessage("i" * 12, 100.9, members), "topic", 60)
    assert message == {"id": "i" * 12, "time": 100, "expires": 160, "event": "message", "topic": "topic", **told}


def test_what_a_stream_says_of_itself() -> None:
    said = notice("open", "topic", 100.9)
    assert len(said.pop("id")) == 12
    assert said == {"time": 100, "event": "open", "topic": "topic"}
