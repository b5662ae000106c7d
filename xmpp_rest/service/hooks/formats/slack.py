"""What is posted to Slack's incoming webhooks, and to Mattermost's (hooks §7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.formats.slack_blocks import blocks_text
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts, items, scalar, string, table
from xmpp_rest.service.hooks.said import NothingToSay
from xmpp_rest.service.hooks.slack_text import slack_text


def read_slack(request: HookRequest) -> MessageParts:
    """The text or the blocks, then the attachments."""
    value = request.payload.value
    if isinstance(value, str):
        value = {"text": value}
    body = table(value)
    text = blocks_text(body.get("blocks")) or slack_text(string(body, "text"))
    attached = [found for each in items(body.get("attachments")) if (found := _attachment(table(each)))]
    text = "\n".join(part for part in (text.strip(), *attached) if part)
    if not text:
        raise NothingToSay("there is no text: expected text, blocks or attachments")
    username = one_line(string(body, "username"))
    if username in (request.hook.name, request.hook.called):
        username = ""
    return MessageParts(text=text, extra={"username": username})


def _attachment(each: dict[str, Any]) -> str:
    return "\n".join(line for line in _lines(each) if line.strip()) or slack_text(string(each, "fallback")).strip()


def _lines(each: dict[str, Any]) -> Iterator[str]:
    yield slack_text(string(each, "pretext"))
    yield slack_text(string(each, "author_name"))
    title, url = one_line(slack_text(string(each, "title"))), string(each, "title_link")
    yield f"*{title}*{f' ({url})' if url else ''}" if title else url
    yield slack_text(string(each, "text"))
    for field in items(each.get("fields")):
        name, value = (slack_text(scalar(table(field).get(key))).strip() for key in ("title", "value"))
        yield f"{name}: {value}" if name and value else name or value
    yield blocks_text(each.get("blocks"))
    yield string(each, "image_url")
    yield slack_text(string(each, "footer"))
