"""The state of the gateway, as `/status` and `xmpp-rest status` tell it."""

from __future__ import annotations

import time
from typing import Any

from xmpp_rest import __version__
from xmpp_rest.api.gateway import Gateway


def figures(gateway: Gateway) -> dict[str, Any]:
    """Everything by name; times are Unix times, `uptime` is in seconds. Raises GatewayError."""
    settings, parts = gateway.settings, gateway.parts
    streams = parts.link_status()
    return {
        "version": __version__,
        "domain": settings.gateway.domain,
        "waits": {"count": parts.waits.count, "most": parts.waits.most},
        "link": {"kind": settings.link.kind, "streams": streams},
        "outbox": {"stanzas": sum(stream["outbox"] for stream in streams), "limit": settings.link.outbox_size},
        "processes": parts.census.count(),
        "uptime": round(time.time() - gateway.began),
        "streams": len(parts.streams.directory.all()),
        "callbacks": parts.callbacks.describe(),
        "rooms": parts.room_calls.figures(),
        "files": parts.files.figures() | (foreign.state()._asdict() if (foreign := parts.file_sending.foreign) else {}),
        "cluster": parts.cluster.figures(),
        **readiness(gateway),
    }


def readiness(gateway: Gateway) -> dict[str, Any]:
    """Whether it is ready, and why not: the checks that fail and are needed."""
    needed = {"process", *gateway.settings.ready_needs}
    failed = [check for check in gateway.checks() if check.reason and check.check in needed]
    reasons = [{name: value for name, value in check._asdict().items() if value} for check in failed]
    return {"ready": not reasons, "reasons": reasons}
