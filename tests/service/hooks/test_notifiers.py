"""Gotify, Apprise, Uptime Kuma, ntfy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.hooks.saying_cases import say
from xmpp_rest.service.hooks.formats.ntfy import EMOJIS
from xmpp_rest.service.hooks.payload import PostedForm
from xmpp_rest.service.hooks.said import NothingToSay

KUMA = {
    "heartbeat": {"monitorID": 3, "status": 0, "msg": "timeout"},
    "monitor": {"id": 3, "name": "web", "url": "https://web.example/"},
    "msg": "[web] down",
}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("gotify", {"message": "full", "title": "Disk", "priority": 8}, "❗ *Disk*\nfull"),
        ("gotify", {"message": "full", "priority": 7}, "full"),
        ("gotify", PostedForm(message="full", priority="9"), "❗ full"),
        ("gotify", {"message": "m", "extras": {"client::notification": {"click": {"url": "https://x.example/"}}}}, "m\nhttps://x.example/"),
        ("", {"version": "1.0", "title": "T", "message": "m", "type": "failure", "attachments": []}, "❌ *T*\nm"),
        ("apprise", {"body": "b", "type": "success"}, "✅ b"),
        ("apprise", {"body": "b", "type": "warning"}, "⚠️ b"),
        ("apprise", {"body": "b", "type": "info"}, "b"),
        ("apprise", {"body": "b", "attachments": [{"filename": "shot.png", "base64": "AA=="}]}, "b\nNot sent: shot.png"),
        ("", KUMA, "[web] down\nhttps://web.example/"),
        ("", {**KUMA, "monitor": {"id": 3, "url": "https://"}}, "[web] down"),
        ("", {"heartbeat": None, "monitor": None, "msg": "Testing"}, "Testing"),
        ("uptime-kuma", {"text": "own body"}, "own body"),
        ("", {"topic": "t", "message": "m"}, "m"),
        ("ntfy", {"topic": "t", "message": "m", "title": "T", "priority": 5, "tags": ["fire", "web1"]}, "‼️ 🔥 *T*\nm\nTags: web1"),
        ("ntfy", {"message": "m", "priority": "high", "tags": "x,+1"}, "❗ ❌ 👍 m"),
        (
            "ntfy",
            {
                "message": "m", "click": "https://c.example/", "attach": "https://a.example/f.png",
                "actions": [
                    {"action": "view", "label": "Open", "url": "https://o.example/"},
                    {"action": "http", "label": "Get", "url": "https://g.example/", "method": "GET"},
                    {"action": "http", "label": "Post", "url": "https://p.example/"},
                ],
            },
            "m\nhttps://c.example/\nhttps://a.example/f.png\nOpen: https://o.example/\nGet: https://g.example/",
        ),
    ],
)  # fmt: skip
def test_what_is_said(path: str, value: Any, text: str) -> None:
    assert say(value, path=path).text == text


@pytest.mark.parametrize("path", ["gotify", "apprise", "ntfy"])
@pytest.mark.parametrize("value", [{"title": "T"}, {"message": 5}, {"message": " "}, [], 5, None, ""])
def test_a_request_without_text_is_refused(path: str, value: Any) -> None:
    with pytest.raises(NothingToSay):
        say(value, path=path)


def test_the_matter_of_uptime_kuma() -> None:
    down, up = say(KUMA), say({**KUMA, "heartbeat": {"status": 1}})
    assert (down.key, down.state, down.ends) == ("3", "down", False)
    assert (up.key, up.state, up.ends) == ("3", "up", True)


def test_the_table_of_tags_has_all_of_its_rows() -> None:
    assert len(EMOJIS) == 45
