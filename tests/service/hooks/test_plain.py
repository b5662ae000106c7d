"""Text, JSON and forms: what is said, which characters a message has, and how long it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.hooks.saying_cases import say
from xmpp_rest.service.hooks.payload import PostedForm
from xmpp_rest.service.hooks.said import NothingToSay


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("disk full", "disk full"),
        ("  two\r\nlines\r ", "two\nlines"),
        ({"title": "Backup", "message": "failed", "url": "https://x.example/"}, "*Backup*\nfailed\nhttps://x.example/"),
        ({"subject": "Backup"}, "*Backup*"),
        ({"msg": "third", "content": "fourth"}, "third"),
        ({"body": 5, "content": "text"}, "text"),
        ({"a": 1}, '```\n{\n  "a": 1\n}\n```'),
        ([1], "```\n[\n  1\n]\n```"),
        (PostedForm(text="hello"), "hello"),
        (PostedForm(a="1", b="2"), "a: 1\nb: 2"),
    ],
)
def test_what_is_said(value: Any, text: str) -> None:
    assert say(value).text == text


@pytest.mark.parametrize("value", ["", "  \n", None, True, 5, {}, [], PostedForm()])
def test_nothing_to_say(value: Any) -> None:
    with pytest.raises(NothingToSay):
        say(value)


def test_forbidden_characters_are_replaced() -> None:
    assert say("a\x00b\ud800c\uffffd\x0be\tf").text == "a\ufffdb\ufffdc\ufffdd\ufffde\tf"


def test_a_long_message_is_cut_and_counted() -> None:
    said = say("x" * 6000)
    assert said.truncated
    assert said.text == "x" * 5000 + "…\n(1000 more characters)"
    assert not say("x" * 5000).truncated


def test_what_is_one_character_to_the_eye_is_not_parted() -> None:
    assert say("e\u0301" * 100, settings_text_limit=101).text == "e\u0301" * 50 + "…\n(100 more characters)"


def test_files_are_told_in_the_last_line() -> None:
    assert say("see", files=("shot.png", "log.txt")).text == "see\nNot sent: shot.png, log.txt"


def test_files_inside_are_told_as_well() -> None:
    value = {"message": "see", "attachments": [{"filename": "shot.png", "base64": "AA=="}]}
    assert say(value, format="json", files=("log.txt",)).text == "see\nNot sent: shot.png, log.txt"


def test_key_and_state_of_the_sender() -> None:
    said = say("down", {"X-Hook-Key": "web1", "X-Hook-State": "down"})
    assert (said.key, said.state, said.ends) == ("web1", "down", False)
    said = say("up", query={"key": "web1", "state": "OK"})
    assert (said.key, said.state, said.ends) == ("web1", "OK", True)
    assert not say("up", query={"state": "ok"}).ends
    assert say("up", {"X-Hook-Key": "web1", "X-Hook-State": "down"}, template="{{ key }} {{ state }}").text == "web1 down"
