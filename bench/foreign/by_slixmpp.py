"""What a script does that speaks XMPP itself, by slixmpp.

`python by_slixmpp.py HOST PORT CA_FILE DOMAIN PASSWORD SINK PID SECONDS USER…`

It logs in as each of the users in turn, and sends a first message; then as the first of them sends messages and pings. A message counts
once the answer to a ping behind it is there. Printed is one line of JSON: name → what bench/load.py:Measured has; PID is the server's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from slixmpp import ClientXMPP

from bench.load import CONNECTIONS, Clock, Measured

TEXT = "wisely and slow; they stumble that run fast"
BUSY = 60.0  # seconds for a login


class Scripted:
    """Logins at one server, and what is asked of it by them. `pid`: the server's."""

    def __init__(self, address: tuple[str, int], ca_file: str, domain: str, password: str, sink: str, pid: int) -> None:
        self._address = address
        self._ca_file = ca_file
        self._domain = domain
        self._password = password
        self._sink = sink
        self._pids = (os.getpid(), pid)

    async def log_in(self, user: str) -> Any:
        xmpp = ClientXMPP(f"{user}@{self._domain}/script", self._password)
        xmpp.enable_starttls = xmpp.enable_plaintext = False
        xmpp.ca_certs = Path(self._ca_file)
        xmpp.register_plugin("xep_0199")
        xmpp.connect(*self._address)
        await xmpp.wait_until("session_start", BUSY)
        return xmpp

    async def ping(self, xmpp: Any) -> None:
        await xmpp["xep_0199"].send_ping(self._domain, timeout=BUSY)

    async def message(self, xmpp: Any) -> None:
        xmpp.send_message(mto=f"friar@{self._sink}", mbody=TEXT, mtype="chat")
        await self.ping(xmpp)

    async def each(self, users: Sequence[str], *, message: bool) -> Measured:
        """Logins, with a first message or without."""
        clock, walls = Clock(self._pids), []
        for user in users:
            began = time.perf_counter()
            xmpp = await self.log_in(user)
            if message:
                await self.message(xmpp)
            walls.append(time.perf_counter() - began)
            await xmpp.disconnect()
        return _taken(clock, walls, sum(walls))

    async def again(self, act: Callable[[Any], Awaitable[None]], xmpp: Any, at_once: int, seconds: float) -> Measured:
        """So many at a time, on one session."""
        clock, walls, began = Clock(self._pids), [], time.perf_counter()

        async def repeat() -> None:
            while (start := time.perf_counter()) < began + seconds:
                await act(xmpp)
                walls.append(time.perf_counter() - start)

        await asyncio.gather(*(repeat() for _ in range(at_once)))
        return _taken(clock, walls, time.perf_counter() - began)


def _taken(clock: Clock, walls: list[float], seconds: float) -> Measured:
    ordered, count = sorted(walls), len(walls)
    return Measured(count / seconds, *clock.each(count), ordered[count // 2] * 1e3, ordered[count * 99 // 100] * 1e3)


async def measured(scripted: Scripted, seconds: float, users: Sequence[str]) -> dict[str, Measured]:
    """Everything, by the names that bench/foreign/rows.py asks for."""
    await (await scripted.log_in(users[0])).disconnect()
    found = {"login": await scripted.each(users, message=False), "first message": await scripted.each(users, message=True)}
    xmpp = await scripted.log_in(users[0])
    for at_once in (1, CONNECTIONS):
        found[f"message {at_once}"] = await scripted.again(scripted.message, xmpp, at_once, seconds)
        found[f"iq ping {at_once}"] = await scripted.again(scripted.ping, xmpp, at_once, seconds)
    await xmpp.disconnect()
    return found


def main() -> None:
    host, port, ca_file, domain, password, sink, pid, seconds, *users = sys.argv[1:]
    scripted = Scripted((host, int(port)), ca_file, domain, password, sink, int(pid))
    print(json.dumps(asyncio.run(measured(scripted, float(seconds), users))))


if __name__ == "__main__":
    main()
