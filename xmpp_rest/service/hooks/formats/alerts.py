"""Groups of alerts, as Alertmanager and Grafana send them (hooks §7.2)."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from xmpp_rest.service.hooks.characters import cut, one_line
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts, first_string, items, number, scalar, string, table

READ = 10_000
"""Alerts of a request that are looked at; the others are counted."""
RESOLVED = "resolved"
MARKS = {True: "✅", False: "🔥"}
UNSURE = "⚠️"
SUMMARY = ("summary", "message", "title", "description")
OWN_PAGES = ("panelURL", "dashboardURL", "generatorURL")
LABELS = 12
"""Labels that are named for one alert."""
LONG = 1000
OWN_LABEL = re.compile(r"(?<=\{)(?:__\w*=[^,{}]*(?:, *)?)+|, *__\w*=[^,{}]*")
"""A label for the sender itself, inside of Grafana's `[ var='A' labels={__name__=up, zone=a} value=1 ]`."""


def are_alerts(value: Any) -> bool:
    """Whether this is a group of alerts."""
    return (
        isinstance(value, dict) and isinstance(value.get("alerts"), list) and any(isinstance(each, dict) for each in value["alerts"][:READ])
    )


def read_alerts(request: HookRequest) -> MessageParts:
    """The state of the group, then each alert, firing ones first."""
    group = table(request.payload.value)
    alerts = [table(each) for each in items(group.get("alerts"), READ)]
    status, cut_off = status_of(group, alerts), _cut_off(group)
    ordered = [each for each in alerts if not _is_resolved(each, status)] + [each for each in alerts if _is_resolved(each, status)]
    shown = tuple(ordered[: request.alerts])
    unsure = status == RESOLVED and cut_off > 0  # Alertmanager's status is that of the alerts that max_alerts has left
    return MessageParts(
        title=_title(group, alerts, status),
        text="\n".join(lines := [_alert(group, each, status) for each in shown]),
        url=_url(group, alerts, cut_off),
        state=status,
        key=string(group, "groupKey"),
        ends=status == RESOLVED and not unsure,
        alerts=shown,
        hidden=len(items(group.get("alerts"), 1 << 30)) - len(shown) + cut_off,
        version=version_of(group),
        extra={
            "mark": UNSURE if unsure else MARKS[status == RESOLVED],
            "counts": ", ".join((*_counts(alerts, status), *(["others may still fire"] if unsure else []))),
            "lines": lines,
        },
    )


def status_of(group: dict[str, Any], alerts: list[dict[str, Any]]) -> str:
    """The state of the whole: as the sender says, else `resolved` where all alerts are."""
    said = one_line(string(group, "status"), 50).lower()
    return said or (RESOLVED if alerts and all(_is_resolved(each, "") for each in alerts) else "firing")


def version_of(group: dict[str, Any]) -> str:
    """Which alerts are in which state: always the same text for the same, in whatever order they come."""
    alerts = [table(each) for each in items(group.get("alerts"), READ)]
    names = (f"{_identity(each)} {string(each, 'status')}" for each in alerts)
    whole = "\n".join((string(group, "status"), *sorted(names), str(_cut_off(group))))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _identity(alert: dict[str, Any]) -> str:
    return string(alert, "fingerprint") or json.dumps(alert.get("labels"), sort_keys=True)


def _cut_off(group: dict[str, Any]) -> int:
    """How many alerts the sender has left out (max_alerts)."""
    return max(number(group.get("truncatedAlerts")) or 0, 0)


def _is_resolved(alert: dict[str, Any], status: str) -> bool:
    return (string(alert, "status").lower() or status) == RESOLVED


def _counts(alerts: list[dict[str, Any]], status: str) -> Iterator[str]:
    found = Counter(one_line(string(each, "status").lower(), 50) or status for each in alerts)
    for state, count in sorted(found.items(), key=lambda row: row[0] == RESOLVED)[:5]:
        yield f"{count} {state}"


def _title(group: dict[str, Any], alerts: list[dict[str, Any]], status: str) -> str:
    """State and name of the group: Grafana's title, else the group's labels, with `alertname` in front."""
    title = one_line(string(group, "title"))
    if title:
        return title if status.upper() in title.upper() else f"{status.upper()} {title}"
    labels = _labels(table(group, "groupLabels"))
    name = labels.pop("alertname", "") or scalar(table(group, "commonLabels").get("alertname"))
    if not name and not labels:
        name = next((found for each in alerts if (found := scalar(table(each, "labels").get("alertname")))), "")
    return one_line(" ".join((status.upper(), name, _listed(labels))))


def _labels(value: dict[str, Any]) -> dict[str, str]:
    """Labels that are shown: those that begin with __ are for the sender itself."""
    return {name: scalar(text) for name, text in list(value.items())[:100] if not name.startswith("__") and scalar(text)}


def _listed(labels: dict[str, str]) -> str:
    return ", ".join(f"{one_line(name, 100)}={one_line(text, 200)}" for name, text in list(labels.items())[:LABELS])


def _alert(group: dict[str, Any], alert: dict[str, Any], status: str) -> str:
    resolved = _is_resolved(alert, status)
    return "\n".join(line for line in (f"{MARKS[resolved]} {_what(group, alert)}", *_details(alert, resolved)) if line.strip())


def _what(group: dict[str, Any], alert: dict[str, Any]) -> str:
    """Where something is the matter, and what."""
    labels, common = _labels(table(alert, "labels")), table(group, "commonLabels")
    where = one_line(labels.get("instance", "")) or _listed({name: text for name, text in labels.items() if common.get(name) != text})
    what = cut(first_string(table(alert, "annotations"), *SUMMARY).strip(), LONG)
    if not what and (not where or "instance" in labels):
        what = _listed({name: text for name, text in labels.items() if name != "instance"})
    return ": ".join(part for part in (where, what) if part) or "an alert"


def _details(alert: dict[str, Any], resolved: bool) -> Iterator[str]:
    annotations = table(alert, "annotations")
    summary, description = (text.strip() for text in (first_string(annotations, *SUMMARY), string(annotations, "description")))
    if description.casefold() not in summary.casefold():
        yield cut(description, LONG)
    yield one_line(OWN_LABEL.sub("", string(alert, "valueString")[:LONG]))
    yield one_line(string(alert, "imageURL"), 2000)
    silence = one_line(string(alert, "silenceURL"), 2000)
    if silence and not resolved:
        yield f"Silence: {silence}"


def _url(group: dict[str, Any], alerts: list[dict[str, Any]], cut_off: int) -> str:
    """Where to look: of one alert its own page, of several that of the sender."""
    own = [string(alerts[0], name) for name in OWN_PAGES] if len(alerts) == 1 and not cut_off else []
    pages = (one_line(url, 2000) for url in (*own, string(group, "externalURL")))
    return next((page for page in pages if ":" in page), "")  # Grafana's test has `?orgId=1` as generatorURL
