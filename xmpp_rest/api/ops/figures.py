"""The state of the gateway, as `/status` and `xmpp-rest status` tell it."""

from __future__ import annotations

import time
from typing import Any

from xmpp_rest import __version__
from xmpp_rest.api.gateway import Gateway


def figures(gateway: Gateway) -> dict[str, Any]:
    """Everything by name; times are Unix times, `uptime` is in seconds. While no node of a cluster owns, only what this one knows.

    Raises GatewayError.
    """
    cluster = gateway.parts.cluster.figures()
    owners = cluster.get("owners", [])
    told = _of_owner(gateway) if not owners or any(owner["node"] for owner in owners) else _of_node(gateway)
    return {**told, "cluster": cluster, **readiness(gateway)}


def _of_node(gateway: Gateway) -> dict[str, Any]:
    parts = gateway.parts
    return {
        "version": __version__,
        "domain": gateway.settings.gateway.domain,
        "waits": {"count": parts.waits.count, "most": parts.waits.most},
        "processes": parts.census.count(),
        "uptime": round(time.time() - gateway.began),
    }


def _of_owner(gateway: Gateway) -> dict[str, Any]:
    settings, parts = gateway.settings, gateway.parts
    streams = parts.link_status()
    return {
        **_of_node(gateway),
        "link": {"kind": settings.link.kind, "streams": streams},
        "outbox": {"stanzas": sum(stream["outbox"] for stream in streams), "limit": settings.link.outbox_size},
        "streams": len(parts.streams.directory.all()),
        "callbacks": parts.callbacks.describe_all(),
        "rooms": parts.room_calls.figures(),
        "files": parts.files.figures() | (foreign.state()._asdict() if (foreign := parts.file_sending.foreign) else {}),
    }


def readiness(gateway: Gateway) -> dict[str, Any]:
    """Whether it is ready, and why not: the checks that fail and are needed."""
    needed = {"process", *gateway.settings.ready_needs}
    failed = [check for check in gateway.checks() if check.reason and check.check in needed]
    reasons = [{name: value for name, value in check._asdict().items() if value} for check in failed]
    return {"ready": not reasons, "reasons": reasons}
