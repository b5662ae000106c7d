"""GitLab (hooks §7.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.formats.forge_event import (
    ForgeEvent,
    commits,
    first_line,
    is_nothing,
    numbered,
    pushed,
    quoted,
    ran,
    shown_ref,
)
from xmpp_rest.service.hooks.message_parts import scalar, string, table

ENDS = ("success", "failed", "canceled")
PAST = {
    "open": "opened", "close": "closed", "reopen": "reopened", "update": "updated", "merge": "merged", "create": "created",
    "delete": "deleted", "approve": "approved", "unapprove": "unapproved", "approval": "approved", "unapproval": "unapproved",
}  # fmt: skip
NOTED = (("merge_request", "merge request", "!"), ("issue", "issue", "#"), ("snippet", "snippet", "$"))
"""What a comment is on: its member, its name, the sign of its number."""


def repository(value: dict[str, Any]) -> str:
    """group/project, or the group."""
    paths = (
        ("project", "path_with_namespace"), ("project_name",), ("repository", "name"), ("group", "full_path"), ("full_path",),
        ("path_with_namespace",), ("group_path",),
    )  # fmt: skip
    return one_line(next((found for path in paths if (found := string(value, *path))), ""))


def who(value: dict[str, Any]) -> str:
    """Who did it."""
    paths = (("user_username",), ("user", "username"), ("user_name",), ("user", "name"), ("commit", "author", "name"))
    return one_line(next((found for path in paths if (found := string(value, *path))), ""))


def home(value: dict[str, Any]) -> str:
    """The page of the project."""
    return string(value, "project", "web_url") or string(value, "repository", "homepage")


def push(value: dict[str, Any]) -> ForgeEvent:
    """Commits on a branch, or a tag."""
    kind, name = shown_ref(string(value, "ref"))
    before, after = string(value, "before"), string(value, "after")
    if is_nothing(after):
        return ForgeEvent(f"deleted {kind} {name}", home(value))
    if kind == "tag":
        return ForgeEvent(f"{'created' if not before or is_nothing(before) else 'moved'} tag {name}", _below(value, f"tags/{name}"))
    created = is_nothing(before)
    url = _below(value, f"commits/{name}") if created or not before else _below(value, f"compare/{before}...{after}")
    return ForgeEvent(pushed(value, name, "created" if created else ""), url, commits(value))


def release(value: dict[str, Any]) -> ForgeEvent:
    """A release."""
    tag, name = one_line(string(value, "tag")), one_line(string(value, "name"))
    return ForgeEvent(f"{_action(value)} release {f'{tag} ({name})' if name and name != tag else tag}", string(value, "url") or home(value))


def thing(noun: str, sign: str) -> Callable[[dict[str, Any]], ForgeEvent]:
    """An issue, a merge request."""

    def say(value: dict[str, Any]) -> ForgeEvent:
        found = table(value, "object_attributes")
        return ForgeEvent(f"{_action(value)} {noun} {numbered(sign, found, 'iid')}", string(found, "url") or home(value))

    return say


def note(value: dict[str, Any]) -> ForgeEvent:
    """A comment."""
    found = table(value, "object_attributes")
    on = next((f"{noun} {numbered(sign, table(value, name), 'iid')}" for name, noun, sign in NOTED if table(value, name)), "")
    if not on:
        on = f"commit {string(value, 'commit', 'id')[:7]} {first_line(string(value, 'commit', 'message'))}".strip()
    did = "edited a comment" if string(found, "action") == "update" else "commented"
    return ForgeEvent(f"{did} on {on}", string(found, "url") or home(value), quoted(string(found, "note") or string(found, "description")))


def pipeline(value: dict[str, Any]) -> ForgeEvent:
    """A pipeline."""
    found = table(value, "object_attributes")
    identity, state = scalar(found.get("id")), string(found, "status")
    name = one_line(string(found, "name")) or f"pipeline #{identity}"
    url = string(found, "url") or _below(value, f"pipelines/{identity}")
    return ForgeEvent(
        ran(name, shown_ref(string(found, "ref"))[1], state), url, (), f"pipeline {identity}" if identity else "", state, state in ENDS
    )


def job(value: dict[str, Any]) -> ForgeEvent:
    """A job of a pipeline."""
    identity, state = scalar(value.get("build_id")), string(value, "build_status")
    name = one_line(string(value, "build_name")) or f"job #{identity}"
    stage = one_line(string(value, "build_stage"))
    what = ran(f"{stage}/{name}" if stage and stage != name else name, shown_ref(string(value, "ref"))[1], state)
    return ForgeEvent(what, _below(value, f"jobs/{identity}"), (), f"job {identity}" if identity else "", state, state in ENDS)


def deployment(value: dict[str, Any]) -> ForgeEvent:
    """What has become of a deployment."""
    where, about = one_line(string(value, "environment")), one_line(string(value, "commit_title"))
    what = ran(f"deployment to {where}" if where else "deployment", shown_ref(string(value, "ref"))[1], string(value, "status"))
    return ForgeEvent(what, string(value, "deployable_url") or home(value), (about,))


def other(event: str) -> Callable[[dict[str, Any]], ForgeEvent]:
    """Any other event: its name and action."""

    def say(value: dict[str, Any]) -> ForgeEvent:
        found = table(value, "object_attributes")
        what = ": ".join(part for part in (f"{event.replace('_', ' ')} {_action(value)}".strip(), numbered("#", found, "iid")) if part)
        return ForgeEvent(what, string(found, "url") or home(value))

    return say


def _action(value: dict[str, Any]) -> str:
    action = string(value, "object_attributes", "action") or string(value, "action") or string(value, "status")
    return PAST.get(action, one_line(action.replace("_", " "), 60))


def _below(value: dict[str, Any], path: str) -> str:
    return f"{home(value)}/-/{path}" if home(value) else ""


EVENTS: Mapping[str, Callable[[dict[str, Any]], ForgeEvent]] = MappingProxyType(
    {
        "push": push,
        "tag_push": push,
        "release": release,
        "issue": thing("issue", "#"),
        "work_item": thing("issue", "#"),
        "merge_request": thing("merge request", "!"),
        "note": note,
        "pipeline": pipeline,
        "build": job,
        "job": job,
        "deployment": deployment,
    }
)
"""Events and what they say, by `object_kind`."""
