"""`xmpp-rest cluster`: the nodes and owners, and orderly changes of them (many-machines §13)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from xmpp_rest.cli.cluster_calls import ClusterCalls
from xmpp_rest.cli.gateway import place, running
from xmpp_rest.cli.streams import as_json, one_line, printable
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart, Exit

PATIENCE = 30.0  # seconds that a change of owner may take
PAUSE = 0.1  # seconds between two looks whether it is done
COLUMNS = ("NODE", "STATE", "SEEN", "STREAMS", "VERSION", "OWNS", "DIFFERS IN")
OTHERWISE = "no other node may own it: it stays here until one may"


def run(load: Load, options: argparse.Namespace) -> int:
    """The exit code: DONE, or REFUSED, also where a domain has no owner. Raises CannotStart, SettingsError, GatewayError."""
    settings = load()
    if not settings.cluster.is_on:
        raise CannotStart(Exit.CONFIG, "there is no cluster: [cluster] kind is none (docs/many-machines.md)")
    return ACTIONS[options.action](settings, options)


def _call(settings: Settings, function: Callable[..., Any], **arguments: Any) -> Any:
    """What the node answers. Raises CannotStart where no gateway runs; GatewayError, ConnectionError."""
    with running(settings) as client:
        if client is None:
            raise CannotStart(Exit.UNAVAILABLE, f"no gateway runs here ({place(settings)})")
        return client.call(function, **arguments)


def _list(settings: Settings, options: argparse.Namespace) -> int:
    figures = _call(settings, ClusterCalls.figures)
    if figures["kind"] == "none":
        raise CannotStart(Exit.CONFIG, "the gateway that runs here was started without a cluster; start it again")
    print(as_json(figures) if options.json else "\n".join(map(printable, _table(figures))))
    return Exit.DONE if all(owner["node"] for owner in figures["owners"]) else Exit.REFUSED


def _table(figures: Mapping[str, Any]) -> Iterator[str]:
    """A line for each node, then one for each domain without an owner."""
    rows = [COLUMNS, *(_row(node, figures["owners"]) for node in figures["nodes"])]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
    for owner in figures["owners"]:
        if not owner["node"]:
            yield f"nobody owns {owner['domain']}"


def _by_epoch(owned: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """The domains of each epoch: all of one owner have the same, those with owners of their own hardly ever."""
    found: dict[int, str] = {}
    for owner in owned:
        found[owner["epoch"]] = ",".join(filter(None, (found.get(owner["epoch"], ""), owner["domain"])))
    return found


def _row(node: Mapping[str, Any], owners: list[Mapping[str, Any]]) -> tuple[str, ...]:
    owned = [owner for owner in owners if owner["node"] == node["node"]]
    owns = ",".join(f"{domains} (epoch {epoch})" for epoch, domains in _by_epoch(owned).items())
    differs = " ".join(node["differs"])
    return node["node"], node["state"], f"{node['seen']:.1f} s", str(node["streams"]), node["version"], owns or "-", differs or "-"


def _move(settings: Settings, options: argparse.Namespace) -> int:
    if refusal := _call(settings, ClusterCalls.move, domain=options.domain, node=options.node):
        return _refused(refusal)
    if _awaited(settings, lambda figures: _owner_of(figures, options.domain) == options.node):
        return Exit.DONE
    return _refused(f"{options.node} does not own {options.domain} after {PATIENCE:.0f} s; `xmpp-rest cluster` says who does")


def _drain(settings: Settings, _: argparse.Namespace) -> int:
    if refusal := _call(settings, ClusterCalls.drain):
        return _refused(refusal)
    if not _awaited(settings, lambda figures: not _is_leaving(figures)):
        return _refused(f"this node still owns a domain after {PATIENCE:.0f} s; `xmpp-rest cluster` says which")
    if any(owner["here"] for owner in _call(settings, ClusterCalls.figures)["owners"]):
        print(f"xmpp-rest: remark: {OTHERWISE}", file=sys.stderr)
    return Exit.DONE


def _is_leaving(figures: Mapping[str, Any]) -> bool:
    """Whether this node owns what another one may have."""
    others = [node for node in figures["nodes"] if node["state"] == "ready" and node["may_own"] and node["node"] != figures["node"]]
    return bool(others) and any(owner["here"] or not owner["node"] for owner in figures["owners"])


def _undrain(settings: Settings, _: argparse.Namespace) -> int:
    return _refused(_call(settings, ClusterCalls.undrain))


def _forget(settings: Settings, options: argparse.Namespace) -> int:
    return _refused(_call(settings, ClusterCalls.forget, node=options.node))


def _refused(why: str) -> int:
    if not why:
        return Exit.DONE
    print(f"xmpp-rest: {one_line(why)}", file=sys.stderr)
    return Exit.REFUSED


def _owner_of(figures: Mapping[str, Any], domain: str) -> str:
    return next((str(owner["node"]) for owner in figures["owners"] if owner["domain"] == domain), "")


def _awaited(settings: Settings, is_done: Callable[[Mapping[str, Any]], bool]) -> bool:
    """Whether it is done within PATIENCE. The node may be out of reach for a moment: it begins again, as a peer."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if is_done(_call(settings, ClusterCalls.figures)):
                return True
        except (CannotStart, GatewayError, OSError):
            pass
        time.sleep(PAUSE)
    return False


ACTIONS: Mapping[str | None, Callable[[Settings, argparse.Namespace], int]] = {
    None: _list, "move": _move, "drain": _drain, "undrain": _undrain, "forget": _forget,
}  # fmt: skip
"""What is done for each word."""
