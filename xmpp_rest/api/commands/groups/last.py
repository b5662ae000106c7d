"""Last activity (commands-api §12)."""

from __future__ import annotations

from datetime import UTC, datetime

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.protocol.jid import JID

SECONDS = range(-62135596800, 253402300800)  # the years 1 to 9999


def now() -> str:
    """This moment, with six decimals."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def shown(services: Services, jid: JID) -> tuple[str, str]:
    """Time and status of the last activity; now for who is online, or has never been."""
    if services.parts.online.of(jid):
        return now(), "ONLINE"
    activity = services.parts.last.get(jid)
    if activity is None or activity.when not in SECONDS:
        return now(), "NOT FOUND"
    return datetime.fromtimestamp(activity.when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), activity.status


@command("get_last")
def get_last(services: Services, user: str, host: str) -> tuple[str, str]:
    return shown(services, services.address(user, host))


@command("set_last")
def set_last(services: Services, user: str, host: str, timestamp: int, status: str) -> bool:
    if timestamp not in SECONDS:
        raise rejected("Invalid timestamp")
    require_sendable(status)
    services.parts.last.set(services.address(user, host), timestamp, status)
    return True


COMMANDS = (get_last, set_last)
