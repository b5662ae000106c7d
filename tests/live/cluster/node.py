"""One machine of a cluster: a gateway with a data folder of its own, and with ways of its own to the databases and to the XMPP server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import urllib3

from tests.live.child import LOOPBACK
from tests.live.gateway import ROOT, Gateway, Sections
from tests.live.proxy import Proxy

from .databases import Databases

LEASE = 3.0


class Node(Gateway):
    """What its gateway sends to a database or to the XMPP server goes through `to_databases` and `to_xmpp`, which can be cut or held."""

    def __init__(self, folder: Path, databases: Databases, xmpp_port: int, sections: Sections) -> None:
        self.name = folder.name
        self.to_databases = [Proxy(server.socket) for server in databases.servers]
        self.to_xmpp = Proxy(xmpp_port)
        self.frozen = False
        for way in self.ways:
            way.start()
        hosts = ",".join(f"{LOOPBACK}:{way.port}" for way in self.to_databases)
        own: dict[str, dict[str, object]] = {
            "auth": {"iterations": 4096},
            "files": {"domain": ""},
            "storage": {"url": f"postgresql://postgres@{hosts}/{databases.name}?sslmode=disable&target_session_attrs=read-write"},
            "cluster": {"kind": "postgresql", "node": self.name, "lease": LEASE, "copies": len(databases.servers)},
        }
        for section, keys in sections.items():
            own.setdefault(section, {}).update(keys)
        if own["cluster"]["kind"] == "none":
            del own["cluster"]
        super().__init__(folder, self.to_xmpp.port, own)

    @property
    def ways(self) -> list[Proxy]:
        """All that leads away from here."""
        return [*self.to_databases, self.to_xmpp]

    def close(self) -> None:
        """End the gateway, and what it was connected by."""
        self.thaw()
        for way in self.ways:
            way.stop()
        if self.running:
            self.kill()

    def cluster(self) -> dict[str, Any]:
        """What GET /status says of the cluster. Raises urllib3's HTTPError where the node does not answer."""
        found: dict[str, Any] = self.status()["cluster"]
        return found

    def owns(self) -> bool:
        """Whether it says that it owns the gateway's domain; no where it says nothing."""
        if not self.running or self.frozen:
            return False
        try:
            return any(owner["here"] for owner in self.cluster()["owners"])
        except (urllib3.exceptions.HTTPError, KeyError, ValueError):
            return False

    def serves(self) -> bool:
        """Whether it is ready, and can call the owner, whose streams are online."""
        ready = self.http.request("GET", "/readyz").status == 200
        return ready and bool(streams := self.streams()) and all(stream["state"] == "online" for stream in streams.values())

    def rests(self) -> bool:
        """Whether it serves, and the XMPP server has all that was accepted."""
        return self.serves() and all(stream["outbox"] == 0 for stream in self.streams().values())

    def tail(self, lines: int = 40) -> str:
        """The end of the log, without a line for each request."""
        return "\n".join([line for line in self.log().splitlines() if " xmpp_rest.access " not in line][-lines:])

    def owning(self) -> list[int]:
        """The processes that have owned, in order, since the node first ran."""
        return [int(process) for process in re.findall(r"process (\d+) (?:owns|leads and holds) the link of ", self.log())]

    def workers(self) -> set[int]:
        """The processes that serve."""
        found = subprocess.run(["pgrep", "--parent", str(self.pid)], capture_output=True, text=True)
        return {int(pid) for pid in found.stdout.split()}

    def command_line(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`xmpp-rest WORDS` on this machine."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("XMPP_REST_")}
        environ["XMPP_REST_CONFIG"] = str(self.folder / "wsgi.ini")
        command = [sys.executable, "-m", "xmpp_rest", *words]
        return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60)

    def freeze(self) -> None:
        """Stop all its processes where they are, as a machine does that is suspended."""
        self.frozen = True
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on, as if no time had passed."""
        if self.frozen:
            self.http.close()  # what has idled is about to be closed by the node, or was asked on meanwhile
            self.connect_anew()
            os.killpg(self.pid, signal.SIGCONT)
            self.frozen = False

    def join(self) -> None:
        """Everything comes through again; connections that were held are ended, as by a router that has forgotten them."""
        for way in self.ways:
            way.up = True
            way.cut()
            way.release()

    def until_owner(self, timeout: float = 30.0) -> float:
        """Wait until it owns; the seconds that took. Raises TimeoutError."""
        began = time.monotonic()
        while not self.owns():
            if time.monotonic() > began + timeout:
                raise TimeoutError(f"{self.name} does not own:\n{self.tail()}")
            time.sleep(0.02)
        return time.monotonic() - began
