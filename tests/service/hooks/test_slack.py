"""Slack's payloads: markup, blocks, rich text, attachments (hooks §7.1)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.hooks.saying_cases import payload, say
from xmpp_rest.service.hooks.payload import PostedForm
from xmpp_rest.service.hooks.said import NothingToSay
from xmpp_rest.service.hooks.slack_text import slack_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<https://x.example/a|the log>", "the log (https://x.example/a)"),
        ("<https://x.example/a>", "https://x.example/a"),
        ("<https://x.example/?a=1&amp;b=2|q>", "q (https://x.example/?a=1&b=2)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<!channel> <!here> <!everyone> <!here|here>", "@channel @here @everyone @here"),
        ("<@U012|romeo> <@U012> <#C012|verona> <#C012>", "@romeo @U012 #verona #C012"),
        ("<!subteam^S01|@guards> <!subteam^S01> <!date^1^{date}|today>", "@guards @S01 today"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;", "&lt;"),
        ("&lt;https://x.example/|no link&gt;", "<https://x.example/|no link>"),
        ("a < b > c", "a < b > c"),
        ("*bold* _italic_ `code`", "*bold* _italic_ `code`"),
    ],
)
def test_markup(markup: str, text: str) -> None:
    assert slack_text(markup) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"text": "hi"}, "hi"),
        ({"text": "hi", "username": "bot"}, "bot: hi"),
        ({"text": "hi", "username": "ops"}, "hi"),
        ({"text": "hi", "channel": "#x", "icon_emoji": ":x:", "response_type": "in_channel"}, "hi"),
        ({"text": "fallback", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "shown"}}]}, "shown"),
        ({"text": "fallback", "blocks": [{"type": "video"}, {"type": "divider"}]}, "fallback"),
        ({"text": "hi", "attachments": [{"fallback": "in short"}]}, "hi\nin short"),
        ({"attachments": [{"text": "long", "fallback": "in short"}]}, "long"),
        ({"attachments": [{"title": "T", "title_link": "https://x.example/"}]}, "*T* (https://x.example/)"),
    ],
)
def test_parts(value: dict[str, Any], text: str) -> None:
    assert say(value).text == text


@pytest.mark.parametrize(
    "value", [{"message": "x"}, {}, [], {"text": " "}, {"blocks": [{"type": "divider"}]}, None, 5, "", PostedForm(a="b")]
)
def test_a_request_without_text_is_refused(value: Any) -> None:
    with pytest.raises(NothingToSay):
        say(value, format="slack")


def test_text_and_forms_are_taken_too() -> None:
    assert say("hi", format="slack").text == "hi"
    assert say(PostedForm(text="hi"), format="slack").text == "hi"


def test_blocks() -> None:
    assert say(payload("slack-blocks")).text == (
        "*Deploy of web1*\n"
        "*web1* was deployed by @U012 (log (https://ci.example.net/7))\n"
        "*Version:* 1.2.3\n"
        "*Took:* 12 s\n"
        "Open: https://web1.example.net/\n"
        "---\n"
        "clock started 10:00\n"
        "# Notes\n"
        "Log: https://ci.example.net/7\n"
        "graph (https://ci.example.net/7.png)"
    )


def test_lines_of_an_item_stand_below_each_other() -> None:
    item = {"type": "rich_text_section", "elements": [{"type": "text", "text": "one\ntwo"}]}
    lists = {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [item]}
    assert say({"blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}, lists]}]}).text == "• one\n    two"


def test_rich_text() -> None:
    assert say(payload("slack-rich-text")).text == (
        "Hello *bold* _it_ ~gone~ `code` @U012 #C034 @here 👍 :custom: docs (https://x.example/)\n"
        "• one\n"
        "• two\n"
        "  1. first\n"
        "  2. second\n"
        "> so he said\n"
        "> twice\n"
        "```\nmake test\n```"
    )


def test_attachments() -> None:
    assert say(payload("slack-attachments")).text == (
        "grafana: Alerts\n"
        "see below\n"
        "nagios\n"
        "*Disk of web1 is full* (https://mon.example.net/1)\n"
        "98 % used\n"
        "Host: web1\n"
        "Load: 7\n"
        "more\n"
        "https://mon.example.net/1.png\n"
        "Nagios 4"
    )
