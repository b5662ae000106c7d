"""`xmpp-rest status`: whether the gateway runs and is ready, and what it does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from xmpp_rest.cli.access.choice import access
from xmpp_rest.cli.streams import as_json, one_line, printable
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit


def run(load: Load, options: argparse.Namespace) -> int:
    """Print it; the exit code: DONE, REFUSED if it is not ready, UNAVAILABLE if it does not run. Raises CannotStart, SettingsError."""
    try:
        with access(load, options) as gateway:
            figures = gateway.figures()
    except CannotStart as e:
        if e.code is not Exit.UNAVAILABLE:
            raise
        return _not_running(str(e), options.json)
    if options.json:
        print(as_json({"running": True} | figures))
    else:
        print("\n".join(map(printable, _lines(figures))))
    return Exit.DONE if figures.get("ready") else Exit.REFUSED


def _not_running(why: str, by_json: bool) -> int:
    if by_json:
        print(as_json({"running": False, "ready": False, "reasons": []}))
    print(f"xmpp-rest: not running: {one_line(why)}", file=sys.stderr)
    return Exit.UNAVAILABLE


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures that are there, a line each."""
    if "version" in figures:
        yield f"running: xmpp-rest {figures['version']} for {figures['domain']}"
    if "processes" in figures:
        yield f"processes: {figures['processes']}, up {duration(figures['uptime'])}"
    yield from _cluster(figures.get("cluster", {}))
    link = figures.get("link", {})
    for stream in link.get("streams", []):
        yield f"link {stream['domain']}: {stream['state']}" + (f", {stream['reason']}" if stream.get("reason") else "")
    if link and not link.get("streams"):
        yield "link: none, it stands alone"
    if "outbox" in figures:
        yield f"outbox: {figures['outbox']['stanzas']} of {figures['outbox']['limit']} stanzas"
    if "streams" in figures:
        yield f"event streams: {figures['streams']}"
    if rooms := {state: count for state, count in figures.get("rooms", {}).items() if count}:
        yield f"rooms on other servers: {', '.join(f'{count} {state}' for state, count in rooms.items())}"
    for name, state in figures.get("callbacks", {}).items():
        yield f"callback {name}: {state['waiting']} wait, {state['retrying']} are tried again"
    if "files" in figures:
        yield f"files: {figures['files']['count']}, {figures['files']['used']} bytes" + _service(figures["files"])
    yield "ready" if figures.get("ready") else "not ready: " + "; ".join(map(_reason, figures.get("reasons", [])))


def _cluster(cluster: dict[str, Any]) -> Iterator[str]:
    """Which node this is, and who owns what, where there are several."""
    if "nodes" not in cluster:
        return
    yield f"cluster: node {cluster['node']}, {cluster['members']} of {len(cluster['nodes'])} nodes live"
    for owner in cluster["owners"]:
        yield f"owner of {owner['domain']}: {owner['node'] or 'none'}" + (", which is this node" if owner["here"] else "")


def _service(files: dict[str, Any]) -> str:
    """Where uploads go, and why they do not."""
    said = f", service {files['service']}" if files["service"] else ""
    return said + (f": {files['reason']}" if files["reason"] else "")


def _reason(reason: dict[str, str]) -> str:
    return " ".join(filter(None, (reason["check"], reason.get("domain")))) + f": {reason['reason']}"


def duration(seconds: int) -> str:
    """Days, hours, minutes and seconds: the two largest that are not 0."""
    parts: list[str] = []
    left = max(0, int(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
