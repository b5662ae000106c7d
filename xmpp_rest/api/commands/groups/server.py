"""The server itself: figures, domains, logging (commands-api §12)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from xmpp_rest.api.commands.errors import internal_error, rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.config.load import SettingsError

PEER = "26.07"  # the release whose commands these are
LEVELS = {"none": 60, "emergency": 56, "alert": 53, "critical": 50, "error": 40, "warning": 30, "notice": 25, "info": 20, "debug": 10}


@command("list_cluster")
def list_cluster(services: Services) -> list[str]:
    """The nodes that live, of a cluster; else the processes of the gateway are one node."""
    return services.parts.cluster.living() or [services.node]


@command("list_cluster_detailed")
def list_cluster_detailed(services: Services) -> list[tuple[str, str, str, int, int, int, str]]:
    figures = [OF_SERVER[name](services) for name in ("onlineusersnode", "processes", "uptimeseconds")]
    online, processes, uptime = figures
    here = (services.node, "true", _status(services), online, processes, uptime, "none")
    cluster = services.parts.cluster.figures()
    return [_of_node(node, here, is_here=node["node"] == cluster["node"]) for node in cluster.get("nodes", ())] or [here]


def _of_node(
    node: Mapping[str, Any], here: tuple[str, str, str, int, int, int, str], *, is_here: bool
) -> tuple[str, str, str, int, int, int, str]:
    """A node of a cluster; `here`: what is known of this one. Of the others their streams are known."""
    name, runs = node["node"], "false" if node["state"] == "silent" else "true"
    return (name, *here[1:]) if is_here else (name, runs, f"The node {name} is {node['state']}", node["streams"], 0, 0, "none")


@command("registered_vhosts")
def registered_vhosts(services: Services) -> list[str]:
    return [services.domain]


def _status(services: Services) -> str:
    """COMPAT ejabberd: clients take the word before `is running` for the version whose commands they may call."""
    running = f"xmpp-rest {services.version} as ejabberd {PEER}"
    return f"The node {services.node} is started. Status: started\n{running} is running in that node"


@command("status")
def status(services: Services) -> str:
    return _status(services)


def _accounts(services: Services) -> int:
    return services.accounts.count()


def _sessions(services: Services) -> int:
    return len(services.parts.online.all())


OF_HOST: Mapping[str, Callable[[Services], int]] = {"registeredusers": _accounts, "onlineusers": _sessions}
OF_SERVER: Mapping[str, Callable[[Services], int]] = {
    **OF_HOST,
    "onlineusersnode": _sessions,
    "uptimeseconds": lambda services: int(time.monotonic() - services.since),
    "processes": lambda _: threading.active_count(),
}


def _figure(figures: Mapping[str, Callable[[Services], int]], name: str, services: Services) -> int:
    if name not in figures:
        raise internal_error(f"name: write one of {', '.join(figures)}")  # COMPAT ejabberd
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
    level = logging.getLogger("xmpp_rest").getEffectiveLevel()
    return next((word for word, number in LEVELS.items() if number <= level), "debug")


@command("set_loglevel")
def set_loglevel(services: Services, loglevel: str) -> bool:
    """Of all processes, until they end."""
    if loglevel not in LEVELS:
        raise rejected("Invalid log level", f"loglevel: write one of {', '.join(LEVELS)}")
    services.parts.remote.broadcast("log_level", level=LEVELS[loglevel])
    return True


@command("reload_config")
def reload_config(services: Services) -> bool:
    """In all processes. What is in force only after a restart is named, and then the rest is in force all the same."""
    try:
        waiting = services.gateway.reload().waiting
    except SettingsError as e:
        shown = str(e).replace(services.gateway.settings.base + os.sep, "")  # which file it is, not where
        raise rejected(f"Nothing was changed: {shown}") from e
    elsewhere = services.gateway.reload_elsewhere(waiting)
    restart = f"These need a restart: {', '.join(waiting)}. All else is in force" if waiting else ""
    if elsewhere:
        raise rejected("; ".join((f"It is not in force everywhere: {elsewhere[0]}", *elsewhere[1:], *([restart] if restart else ()))))
    if restart:
        raise rejected(restart)
    return True


@command("incoming_s2s_number")
def incoming_s2s_number(_: Services) -> int:
    """The gateway is a component: servers talk to its server."""
    return 0


@command("outgoing_s2s_number")
def outgoing_s2s_number(_: Services) -> int:
    return 0


@command("clear_cache")
def clear_cache(services: Services) -> bool:
    """What is kept in memory of passwords that were checked."""
    services.parts.remote.broadcast("forget")
    return True


COMMANDS = (
    list_cluster, list_cluster_detailed, registered_vhosts, status, stats, stats_host, get_loglevel, set_loglevel, reload_config,
    incoming_s2s_number, outgoing_s2s_number, clear_cache,
)  # fmt: skip
