"""Which format a request has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xmpp_rest.config.hook_readers import FORMATS
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.payload import PostedForm

FORGES = (("x-forgejo-event", "forgejo"), ("x-gitea-event", "gitea"), ("x-github-event", "github"), ("x-gitlab-event", "gitlab"))
"""Header → format. In this order: Forgejo and Gitea send GitHub's fields as well."""
APPRISE = ("x-apprise-id", "x-apprise-config-id", "x-apprise-recursion-count")


def choose_format(path: str, hook: Hook, headers: Mapping[str, str], value: Any) -> str:
    """The format of a request: as its URL says (`path`: what follows the token), else the hook, else headers and members."""
    named = path.strip("/").partition("/")[0]
    if named in FORMATS:
        return named
    if hook.format != "auto":
        return hook.format
    return _by_headers({name.lower(): text for name, text in headers.items()}, value) or _by_members(value)


def event_of(of: str, headers: Mapping[str, str]) -> str:
    """What the sender calls the event: the header of its own format, else any of the others."""
    lower = {name.lower(): text for name, text in headers.items()}
    order = sorted(FORGES, key=lambda row: row[1] != of)
    return next((lower[name][:200] for name, _ in order if lower.get(name)), "")


def _by_headers(headers: Mapping[str, str], value: Any) -> str:
    for name, forge in FORGES:
        if headers.get(name):
            return forge
    if any(headers.get(name) for name in APPRISE):
        return "apprise"
    if headers.get("x-gotify-key") and isinstance(value, dict) and "message" in value:
        return "gotify"
    return ""


def _by_members(value: Any) -> str:
    if isinstance(value, PostedForm):
        return "form"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return next((name for name, fits in _SHAPES if fits(value)), "json")
    return "json"


def _is_grafana(value: dict[str, Any]) -> bool:
    return isinstance(value.get("alerts"), list) and ("orgId" in value or ("state" in value and "title" in value))


def _is_alertmanager(value: dict[str, Any]) -> bool:
    return isinstance(value.get("alerts"), list) and ("groupKey" in value or value.get("version") == "4")


def _is_uptime_kuma(value: dict[str, Any]) -> bool:
    return {"heartbeat", "monitor", "msg"} <= value.keys()


def _is_apprise(value: dict[str, Any]) -> bool:
    return value.get("version") == "1.0" and {"message", "type"} <= value.keys()


def _is_ntfy(value: dict[str, Any]) -> bool:
    return {"topic", "message"} <= value.keys()


def _is_slack(value: dict[str, Any]) -> bool:
    if "message" in value or "body" in value:
        return False
    return isinstance(value.get("text"), str) or isinstance(value.get("blocks"), list) or _has_attachments(value.get("attachments"))


def _has_attachments(value: Any) -> bool:
    """Whether these are Slack's attachments: those of Teams have a contentType."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) and "contentType" not in each for each in value)


_SHAPES = (
    ("grafana", _is_grafana),
    ("alertmanager", _is_alertmanager),
    ("uptime-kuma", _is_uptime_kuma),
    ("apprise", _is_apprise),
    ("ntfy", _is_ntfy),
    ("slack", _is_slack),
)
"""Formats of JSON objects and what tells them, the first that fits."""
