"""The readers of formats, and which payloads they can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from xmpp_rest.service.hooks.formats import alerts, forges, notifiers, ntfy, plain, slack
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts, string
from xmpp_rest.service.hooks.payload import Payload, PostedForm

Reader = Callable[[HookRequest], MessageParts]


def _always(_: Payload) -> bool:
    """For formats that refuse what is without text themselves."""
    return True


def _is_json(payload: Payload) -> bool:
    return not isinstance(payload.value, str | PostedForm)


def _has_msg(payload: Payload) -> bool:
    return bool(string(payload.value, "msg").strip())


def _is_of_a_forge(payload: Payload) -> bool:
    return forges.is_of_a_forge(payload.value, payload.event)


def _has_alerts(payload: Payload) -> bool:
    return alerts.are_alerts(payload.value)


READERS: Mapping[str, tuple[Callable[[Payload], bool], Reader]] = MappingProxyType(
    {
        "text": (lambda payload: isinstance(payload.value, str), plain.read_text),
        "json": (_is_json, plain.read_json),
        "form": (lambda payload: isinstance(payload.value, PostedForm), plain.read_form),
        "slack": (_always, slack.read_slack),
        "alertmanager": (_has_alerts, alerts.read_alerts),
        "grafana": (_has_alerts, alerts.read_alerts),
        "github": (_is_of_a_forge, forges.read_github),
        "gitea": (_is_of_a_forge, forges.read_github),
        "forgejo": (_is_of_a_forge, forges.read_github),
        "gitlab": (_is_of_a_forge, forges.read_gitlab),
        "uptime-kuma": (_has_msg, notifiers.read_uptime_kuma),
        "gotify": (_always, notifiers.read_gotify),
        "apprise": (_always, notifiers.read_apprise),
        "ntfy": (_always, ntfy.read_ntfy),
    }
)
"""Format → whether a payload looks like it, and its reader."""


def read(request: HookRequest) -> tuple[MessageParts, str]:
    """The parts of a message, and by which format's template it is said. Raises NothingToSay.

    What does not look as the format should is read as text, form or JSON: no alert may be lost over its shape.
    """
    payload: Payload = request.payload
    looks_right, reader = READERS[payload.format]
    if looks_right(payload):
        return reader(request), payload.format
    return plain.read_whatever(request), plain.whatever(payload.value)
