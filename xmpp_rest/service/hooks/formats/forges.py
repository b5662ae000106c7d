"""Forges: `[owner/repo] WHO WHAT` in the first line, the URL in the last (hooks §7.3)."""

from __future__ import annotations

from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.formats import github, gitlab
from xmpp_rest.service.hooks.formats.forge_event import ForgeEvent
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts, string, table

PING = "ping"
MEMBERS = ("repository", "project", "object_kind", "organization", "sender", "event_name")
GUESSED = (
    ("commits", "push"), ("review", "pull_request_review"), ("comment", "issue_comment"), ("pull_request", "pull_request"),
    ("issue", "issues"), ("release", "release"), ("workflow_run", "workflow_run"), ("check_suite", "check_suite"), ("zen", PING),
)  # fmt: skip
"""Members that tell an event where no header does."""


def is_of_a_forge(value: Any, event: str) -> bool:
    """Whether a forge may have sent this: its header names an event, or there is what all events have."""
    return isinstance(value, dict) and bool(value) and (bool(event) or any(name in value for name in (*MEMBERS, "zen")))


def read_github(request: HookRequest) -> MessageParts:
    """An event of GitHub, Gitea or Forgejo."""
    value = table(request.payload.value)
    event = _named(request.payload.event) or next((name for member, name in GUESSED if member in value), "event")
    if event == PING:
        return MessageParts(ping=True)
    return _parts(github.repository(value), github.who(value), (github.EVENTS.get(event) or github.other(event))(value))


def read_gitlab(request: HookRequest) -> MessageParts:
    """An event of GitLab."""
    value = table(request.payload.value)
    event = _named(string(value, "object_kind") or string(value, "event_name") or request.payload.event) or "event"
    return _parts(gitlab.repository(value), gitlab.who(value), (gitlab.EVENTS.get(event) or gitlab.other(event))(value))


def _named(event: str) -> str:
    """The name of an event as in the tables: GitLab's header says `Merge Request Hook`."""
    name = one_line(event, 100).lower().replace(" ", "_")
    return name.removesuffix("_hook")


def _parts(repository: str, who: str, spoken: ForgeEvent) -> MessageParts:
    place = f"[{repository}]" if repository else ""
    return MessageParts(
        title=" ".join(part for part in (place, who, spoken.what.strip()) if part),
        text="\n".join(line for line in spoken.lines if line),
        url=one_line(spoken.url, 2000),
        state=spoken.state,
        key=f"{repository} {spoken.subject}" if spoken.subject else "",
        ends=spoken.ends,
    )
