"""NodeInfo: what this node tells the other nodes of itself, in `info` of its row (many-machines §5)."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

from drivers.alone import LEASE
from drivers.shared import NodeRow
from xmpp_rest.cluster.draining import DrainMark
from xmpp_rest.cluster.settings_digest import SettingsDigests, hosted
from xmpp_rest.config.table import Settings

READY, DRAINING = "ready", "draining"


def info_of(row: NodeRow) -> dict[str, Any]:
    """What a node tells of itself."""
    return row.info if isinstance(row.info, dict) else {}


def table_in(row: NodeRow, name: str) -> dict[str, Any]:
    """What it tells by this name; empty if it tells nothing."""
    told = info_of(row).get(name)
    return told if isinstance(told, dict) else {}


class NodeInfo:
    """Of one node; read by who writes its row. Safe to be used by several threads."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self.mark = DrainMark(data_dir)
        """Whether it drains."""
        self._digests = SettingsDigests()
        self._hosted = hosted(settings)
        self._lease = settings.cluster.lease
        self._settings = self._digests.of(settings)
        self._streams: dict[int, tuple[str, int]] = {}  # number of a process → its id in its group, and its open event streams
        self._clock: float | None = None
        self._lock = threading.Lock()  # guards the streams

    def __call__(self) -> dict[str, Any]:
        """The table: `clock`: seconds that the clock of this machine is ahead of the database's, None: not known."""
        state = DRAINING if self.mark.is_set else READY
        told = {"host": socket.gethostname(), "state": state, "streams": self.streams, "gateway": self._hosted, "settings": self._settings}
        told[LEASE] = self._lease
        return told if self._clock is None else {**told, "clock": self._clock}

    def drains(self) -> bool:
        """Whether the node is about to be taken away."""
        return self.mark.is_set

    @property
    def streams(self) -> int:
        """The open event streams of all processes of the node."""
        with self._lock:
            return sum(streams for _, streams in self._streams.values())

    def count_streams(self, process: int, member: str, streams: int) -> None:
        """A process of the node has so many. `member`: its id in its group, another one with each owner."""
        with self._lock:
            self._streams[process] = member, streams

    def forget(self, member: str) -> None:
        """This process has gone."""
        with self._lock:
            self._streams = {process: told for process, told in self._streams.items() if told[0] != member}

    def configure(self, settings: Settings) -> None:
        """Tell these settings from now on."""
        self._settings = self._digests.of(settings)

    def set_clock(self, ahead: float) -> None:
        """The clock of this machine is so many seconds ahead of the database's."""
        self._clock = round(ahead, 3)
