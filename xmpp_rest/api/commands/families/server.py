"""The server itself: figures, domains, logging (spec commands-api §12)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from xmpp_rest.api.commands.errors import internal_error, rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services

LEVELS = {"none": 60, "emergency": 56, "alert": 53, "critical": 50, "error": 40, "warning": 30, "notice": 25, "info": 20, "debug": 10}
LOGGERS = ("xmpp_rest", "drivers")


@command("registered_vhosts")
def registered_vhosts(services: Services) -> list[str]:
    return [services.domain]


@command("status")
def status(services: Services) -> str:
    return f"The node {services.node} is started. Status: started\nxmpp-rest {services.version} is running in that node"


def _accounts(services: Services) -> int:
    return sum(1 for _ in services.accounts.users())


def _sessions(_: Services) -> int:
    """The hosted domain takes no clients in, so nobody is online."""
    return 0


OF_HOST: Mapping[str, Callable[[Services], int]] = {"registeredusers": _accounts, "onlineusers": _sessions}
OF_SERVER: Mapping[str, Callable[[Services], int]] = {
    **OF_HOST,
    "onlineusersnode": _sessions,
    "uptimeseconds": lambda services: int(time.monotonic() - services.since),
    "processes": lambda _: threading.active_count(),
}


def _figure(figures: Mapping[str, Callable[[Services], int]], name: str, services: Services) -> int:
    if name not in figures:
        raise internal_error()  # COMPAT ejabberd
    return figures[name](services)


@command("stats")
def stats(services: Services, name: str) -> int:
    return _figure(OF_SERVER, name, services)


@command("stats_host")
def stats_host(services: Services, name: str, host: str) -> int:
    services.require_host(host)
    return _figure(OF_HOST, name, services)


@command("get_loglevel")
def get_loglevel(_: Services) -> str:
    level = logging.getLogger(LOGGERS[0]).getEffectiveLevel()
    return next((word for word, number in LEVELS.items() if number <= level), "debug")


@command("set_loglevel")
def set_loglevel(_: Services, loglevel: str) -> bool:
    """Of this process; others keep what they have."""
    if loglevel not in LEVELS:
        raise rejected("Invalid log level")
    for name in LOGGERS:
        logging.getLogger(name).setLevel(LEVELS[loglevel])
    return True


COMMANDS = (registered_vhosts, status, stats, stats_host, get_loglevel, set_loglevel)
