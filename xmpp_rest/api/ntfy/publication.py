"""What a request wants to have said: parameters and body, read and checked (hooks §13.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xmpp_rest.api.ntfy.actions import checked, read_actions
from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.fields import Parameters
from xmpp_rest.api.ntfy.messages import TRIGGERED
from xmpp_rest.api.ntfy.priority import read_priority
from xmpp_rest.protocol.strict_json import BadJSON, read_json
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.scheduled.times import BadTime, TimeFault, read_time, read_time_of_day

LEAST_DELAY = 10.0  # seconds
FORMATS = frozenset({"alertmanager", "grafana", "github"})
"""Templates that take the body as that format; ntfy's own are not offered."""
FALSE = frozenset({"", "0", "no", "false"})
_URL = re.compile(r"https?://", re.IGNORECASE)
_TEXTS = ("topic", "title", "message", "click", "attach", "filename", "icon", "email", "call", "delay")
_FAULTS = {TimeFault.UNREADABLE: 40004, TimeFault.PAST: 40004, TimeFault.FAR: 40006}


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be said. `members`: as ntfy takes them in JSON; `at`: Unix time, None for at once; `format`: ntfy, or that of the body."""

    members: Mapping[str, Any]
    at: float | None = None
    format: str = "ntfy"
    value: Any = None

    def payload(self, event: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Payload:
        """What a hook takes."""
        return Payload(self.format, dict(self.members) if self.format == "ntfy" else self.value, event, headers, query)


@dataclass(frozen=True, slots=True)
class PublishedRequest:
    """What a request to publish brings. `given`: the members of JSON, which go before the parameters; `body`: the text, as it came."""

    parameters: Parameters
    given: Mapping[str, Any]
    body: bytes = b""

    def text(self, name: str) -> str:
        """The value of a member that is a text, or of its parameter."""
        return str(self.given.get(name) or "").strip() or self.parameters.text(name)


def read_object(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises NtfyError, 40024."""
    try:
        value = read_json(body)
    except BadJSON as e:
        raise NtfyError(40024, str(e)) from e
    if not isinstance(value, dict):
        raise NtfyError(40024, "it has to be an object")
    return value


def checked_members(value: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a message as JSON, without those that are null. Raises NtfyError, 40024."""
    given = {name: member for name, member in value.items() if member is not None}
    for name, (kinds, what) in _TYPES.items():
        member = given.get(name)
        if member is not None and (not isinstance(member, kinds) or (isinstance(member, bool) and bool not in kinds)):
            raise NtfyError(40024, f"'{name}' has to be {what}")
    if not all(isinstance(tag, str) for tag in given.get("tags", ())):
        raise NtfyError(40024, "'tags' has to be an array of strings")
    return given


_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(_TEXTS, ((str,), "a string")),
    "priority": ((int,), "a number from 1 to 5"),
    "tags": ((list,), "an array of strings"),
    "actions": ((list,), "an array of objects"),
    "markdown": ((bool,), "true or false"),
    "cache": ((str, bool), "a string"),
    "firebase": ((str, bool), "a string"),
}


def read_publication(request: PublishedRequest, now: float, *, days: int, longest: int) -> Publication:
    """What a request wants to have said. `days`: how far ahead it may be; `longest`: characters of a body that is a text.

    Raises NtfyError.
    """
    links = _links(request)
    if request.text("email"):
        raise NtfyError(40001)
    if request.text("call"):
        raise NtfyError(40032)
    priority = _priority(request)
    at = _at(request, now, days)
    actions = _actions(request)
    tags = [tag.strip() for tag in request.given.get("tags", ()) if tag.strip()] or request.parameters.listed("tags")
    title, is_markdown = request.text("title"), _is_markdown(request)
    found = {"title": title, "message": "", "priority": priority, "tags": tags, **links, "actions": actions, "markdown": is_markdown}
    kind = _template(request)
    if kind:
        return Publication({}, at, kind, _value(request))
    found["message"] = _message(request, longest)
    return Publication({name: value for name, value in found.items() if value}, at)


def _links(request: PublishedRequest) -> dict[str, str]:
    attach, icon, filename = request.text("attach"), request.text("icon"), request.text("filename")
    if attach and not _URL.match(attach):
        raise NtfyError(40013)
    if icon and not _URL.match(icon):
        raise NtfyError(40021)
    if filename and not attach:
        raise NtfyError(40014)
    return {"click": request.text("click"), "icon": icon, "attach": attach, "filename": filename}


def _priority(request: PublishedRequest) -> int | None:
    given = request.given.get("priority")
    return read_priority(str(given) if given else request.parameters.text("priority"))


def _actions(request: PublishedRequest) -> list[dict[str, Any]]:
    if given := request.given.get("actions"):
        return checked(given)
    text = request.parameters.text("actions")
    return read_actions(text) if text else []


def _at(request: PublishedRequest, now: float, days: int) -> float | None:
    text = request.text("delay")
    if not text:
        return None
    cache = request.given.get("cache")
    if str(request.parameters.text("cache") if cache in (None, "") else cache).strip().lower() in FALSE - {""}:
        raise NtfyError(40002)
    try:
        at = _time(text, now, days)
    except BadTime as e:
        raise NtfyError(_FAULTS[e.fault]) from e
    if at < now:
        raise NtfyError(40004)
    if int(at) < int(now + LEAST_DELAY):
        raise NtfyError(40005)
    return at


def _time(text: str, now: float, days: int) -> float:
    try:
        return read_time(text, now, days)
    except BadTime as e:
        if e.fault is not TimeFault.UNREADABLE:
            raise
        return read_time_of_day(text, now, None, days)


def _is_markdown(request: PublishedRequest) -> bool:
    kind = request.parameters.text("content-type").partition(";")[0].strip().lower()
    return bool(request.given.get("markdown")) or request.parameters.is_true("markdown") or kind == "text/markdown"


def _template(request: PublishedRequest) -> str:
    """The format of the body, "" for a text. Raises NtfyError, 40043."""
    name = request.parameters.text("template").lower()
    if name in FALSE:
        return ""
    if name not in FORMATS:
        raise NtfyError(40043)
    return name


def _value(request: PublishedRequest) -> Any:
    body = str(request.given.get("message") or "").encode("utf-8", "replace") or request.body
    try:
        return read_json(body, finite=False)
    except BadJSON as e:
        raise NtfyError(40024, str(e)) from e


def _message(request: PublishedRequest, longest: int) -> str:
    """The text: the body, or else the parameter, in which `\\n` is a line break."""
    if given := str(request.given.get("message") or "").strip():
        return given
    try:
        text = request.body.decode().strip()
    except UnicodeDecodeError as e:
        raise NtfyError(40014) from e
    if len(text) > longest:
        raise NtfyError(40014)
    return text or request.parameters.text("message").replace("\\n", "\n") or TRIGGERED


