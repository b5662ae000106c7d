"""What systemd is told of the service (sd_notify(3)), by datagrams to the socket in NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Tells systemd, or nobody where `address` is empty. Used by the main process alone."""

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        """`watchdog`: seconds without a sign of life after which systemd ends the service; 0: it waits for none."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = watchdog
        self._status = ""
        self._due = 0.0  # of the next sign of life, monotonic

    @property
    def listens(self) -> bool:
        """Whether anybody is told."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Serving; also after `reloading`."""
        self._status = status
        self._send("READY=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """A line for people; it is sent where it differs from the one before."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """The configuration is about to be read again; `ready` ends that."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life, if it is time for one: twice in the time that systemd waits."""
        if self.watchdog and (now := time.monotonic()) >= self._due:
            self._due = now + self.watchdog / 2
            self._send("WATCHDOG=1")

    @property
    def seconds(self) -> float:
        """Seconds until the next sign of life is due; infinity if nobody waits for any."""
        return max(0.0, self._due - time.monotonic()) if self.watchdog else float("inf")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)  # systemd may be slow, or gone: the service goes on
            sock.sendto("\n".join(lines).encode(), self._address)


def taken_from(environ: MutableMapping[str, str]) -> Notifier:
    """What tells systemd, by these variables; they are removed, as gunicorn has messages of its own, and no child is to send any."""
    address, period, pid = (environ.pop(name, "") for name in VARIABLES)
    meant = pid in ("", str(os.getpid())) and period.isdecimal()  # sd_watchdog_enabled(3)
    return Notifier(address if address[:1] in ("/", "@") else "", int(period) / 1e6 if meant else 0.0)
