"""The name of a request among those of its hook, by which a repetition is told (hooks §10)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from xmpp_rest.api.hooks.bodies import BadBody
from xmpp_rest.service.hooks.once import Once

DELIVERIES = ("x-forgejo-delivery", "x-gitea-delivery", "x-github-delivery")
KEYS = ("idempotency-key", "webhook-id")
BOUND = "idempotency-key"
"""The one that may not come with another body."""
ALERTS = frozenset(("alertmanager", "grafana"))
ALERTS_SECONDS = 60.0  # repeat_interval sends the same again on purpose; a repeated attempt, and the second of a pair, come at once
OF_GROUP = ("status", "state", "truncatedAlerts")
"""Members that tell the state of a group beside its alerts; the last one counts those that are left out."""
SORTED = 10_000
"""Alerts that are compared in any order. A body has room for 300,000 that say nothing; each of them would take 8 µs."""
_VISIBLE = re.compile("[!-~]{1,255}")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"')  # RFC 9651 §3.3.3


def name_in(headers: Mapping[str, str], body: bytes, *, whole: bool = False) -> Once | None:
    """The name that the header fields give a request; None without one. `whole`: see Once. Raises BadBody."""
    for field in DELIVERIES:
        if value := headers.get(field, "").strip(" \t"):
            return Once(f"delivery {value}", whole=whole)
    for field in KEYS:
        if field in headers:
            value = headers[field].strip(" \t")
            if not (_VISIBLE.fullmatch(value) or _QUOTED.fullmatch(value)):
                raise BadBody(f"{field} must be 1 to 255 visible characters, such as a UUID")
            return Once(f"{field} {value}", hashlib.sha256(body).hexdigest() if field == BOUND else "", whole=whole)
    return None


def name_of_alerts(of: str, value: Any) -> Once | None:
    """The name of what Alertmanager and Grafana send, by what it says."""
    alerts = value.get("alerts") if of in ALERTS and isinstance(value, dict) else None
    if not isinstance(alerts, list) or not alerts:
        return None
    states = sorted(_state(alert) for alert in alerts) if len(alerts) <= SORTED else alerts
    said = json.dumps([*(value.get(each) for each in OF_GROUP), states], default=str).encode()
    group = json.dumps(value.get("groupKey"), default=str)
    # What fires, is resolved and fires again within a minute is said three times: only the latest of a group can be a repetition.
    return Once(f"alerts {group}", hashlib.sha256(said).hexdigest(), ALERTS_SECONDS, latest=True)


def _state(alert: Any) -> str:
    """Which alert it is, and its state; of an alert without these, as payloads of one's own have them, all that it says."""
    known = (alert.get("fingerprint") or alert.get("labels")) if isinstance(alert, dict) else None
    state = alert.get("status") if isinstance(alert, dict) else None
    return json.dumps([known, state] if known and state else alert, sort_keys=True, default=str)
