"""A server of foreign accounts, the gateway before it with one worker and with two, and a component that throws messages away."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import peers
from bench.foreign.servers import ACCOUNTS, Silent
from bench.load import Target
from bench.stage import HERE
from tests.authority import Authority
from tests.live.child import LOOPBACK
from tests.live.gateway import PASSWORD, Gateway, Sections
from tests.live.tls_servers import FOREIGN, TLSServer
from tests.live.xmppserver import GATEWAY, SECRET
from tests.live.xmppserver import PASSWORD as THEIR_PASSWORD

ONE, TWO = "one worker", "two workers"
WHO = "romeo"
"""The name of an account both of the gateway's domain and of the other server's."""
DOMAINS = {ONE: peers.SOLO, TWO: GATEWAY}


def basic(name: str, password: str) -> dict[str, str]:
    """The field of the head."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def foreign(user: str) -> dict[str, str]:
    """The credentials of an account of the other server."""
    return basic(f"{user}@{FOREIGN}", THEIR_PASSWORD)


def hosted(domain: str) -> dict[str, str]:
    """Those of an account of the gateway's."""
    return basic(f"{WHO}@{domain}", PASSWORD)


class ForeignStage:
    """Everything that runs. A context: what was started ends with it."""

    def __init__(self, folder: Path, kind: type[TLSServer]) -> None:
        self._stack = ExitStack()
        self._folder = folder
        self._silent = Silent()
        self.server = kind(folder / "server", Authority(folder / "authority"))
        self.gateways: dict[str, Gateway] = {}
        """By ONE and TWO."""

    def __enter__(self) -> ForeignStage:
        try:
            self._stack.enter_context(self._silent)
            self.server.start()
            self._stack.callback(self.server.stop)
            sink = peers.Small(self._folder / "sink", str(HERE / "bare.py"), "sink", str(self.server.component_port), peers.SINK, SECRET)
            sink.start()
            self._stack.callback(sink.stop)
            for name, workers in ((ONE, 1), (TWO, 2)):
                self.gateways[name] = self.gateway(name, workers, DOMAINS[name])
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def gateway(self, name: str, workers: int, domain: str) -> Gateway:
        """One that lets accounts of both servers in, and hosts one in this domain, if one is named; else it has no link."""
        linked: dict[str, object] = {} if domain else {"kind": "none"}
        names = {"domain": domain or GATEWAY} | ({} if domain == GATEWAY else {"rooms_domain": "", "conference_domain": ""})
        sections: Sections = {
            "gateway": names,
            "link": linked,
            "server": {"workers": workers, "log_level": "warning"},
            "login.montague": self.server.login_settings(),
            "login.silent": self._silent.login_settings(),
            "sessions": {"total": ACCOUNTS + 100, "per_domain": ACCOUNTS + 50},
        }
        gateway = Gateway(self._folder / name, self.server.component_port, sections)
        gateway.start()
        self._stack.callback(gateway.stop)
        if not domain:
            return gateway
        account = {"user": WHO, "host": domain, "password": PASSWORD}
        made = gateway.http.request("POST", "/api/register", json=account, headers=basic(f"admin@{domain}", PASSWORD))
        assert made.status == 200, made.data
        gateway.wait_state("online")
        return gateway

    def pids(self, name: str = "") -> tuple[int, ...]:
        """Of this gateway, if one is named, and of the server behind it."""
        return (*((self.gateways[name].pid,) if name else ()), self.server.pid)


class Caller:
    """An HTTP client with one kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> int:
        """The status of the answer."""
        self._connection.request(method, path, body or None, dict(headers))
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def ask(self, target: Target) -> int:
        return self(target.method, target.path, target.headers, target.body.replace("%n", "1"))

    def close(self) -> None:
        self._connection.close()
