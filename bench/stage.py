"""The servers of a run, and the names by which scenarios ask for them."""

from __future__ import annotations

import base64
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from bench import peers
from bench.load import Target
from bench.process import children
from bench.scenarios import BAREST, BAREST_SOLO, EJABBERD, FLOOR, MOD_DATA, MOD_REST, OURS, SOLO, Ask
from tests.live.child import Child, free_port
from tests.live.gateway import PASSWORD, TOKEN, Gateway, Sections
from tests.live.nginx import Nginx
from tests.live.xmppserver import DOMAIN, GATEWAY, SECRET
from tests.live.xmppserver import PASSWORD as PEER_PASSWORD

AnyChild = TypeVar("AnyChild", bound=Child)
STOCK = "stock gthread"
HERE = Path(__file__).parent
MANY_THREADS: Sections = {
    "link": {"kind": "none"},
    "server": {"threads": 300, "workers": 2},
    "streams": {"total": 220, "per_account": 220},
}


def _basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def solo(user: str) -> str:
    return f"{user}@{peers.SOLO}"


class Stage:
    """Everything that runs. A context: what was started ends with it."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.ports: dict[str, int] = {}
        self.pids: dict[str, tuple[int, ...]] = {}
        """Server → its own process, and the one of the XMPP server behind it."""
        self.credentials = {
            "nobody": {},
            "romeo": _basic(f"romeo@{GATEWAY}", PASSWORD),
            "romeo, solo": _basic(solo("romeo"), PASSWORD),
            "admin": _basic(f"admin@{GATEWAY}", PASSWORD),
            "admin, solo": _basic(solo("admin"), PASSWORD),
            "fixed": {"Authorization": f"Bearer {TOKEN}"},
            "juliet": _basic("juliet", PEER_PASSWORD) | {"Host": DOMAIN},
            "juliet, plain": _basic("juliet", PEER_PASSWORD) | {"Host": peers.PLAIN},
            "juliet@": _basic(f"juliet@{DOMAIN}", PEER_PASSWORD) | {"Host": DOMAIN},
        }
        self._workers = workers
        self._count = 0
        self.answering = free_port()
        self.prosody = peers.BenchProsody(folder / "prosody", peers.plugins(), self.answering)

    def __enter__(self) -> Stage:
        try:
            self._start_all()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _run(self, child: AnyChild) -> AnyChild:
        child.start()
        self._stack.callback(child.stop)
        return child

    def _start_all(self) -> None:
        self._small("answering.py", str(self.answering), port=self.answering)
        prosody = self._run(self.prosody)
        for role, domain in (("sink", peers.SINK), ("echo", peers.ECHO)):
            self.pids[role] = (self._small("bare.py", role, str(self.prosody.component_port), domain, SECRET).pid, prosody.pid)
        if self.prosody.plugins:
            for name in (MOD_REST, MOD_DATA)[: 2 if peers.has_data_access(self.prosody.plugins) else 1]:
                self._know(name, self.prosody.http_port, prosody)
        if peers.have("ejabberdctl"):
            ejabberd = peers.BenchEjabberd(self._folder / "ejabberd")
            self._run(ejabberd)
            self._know(EJABBERD, ejabberd.http_port, ejabberd)
            self._small("bare.py", "sink", str(ejabberd.component_port), peers.SINK, SECRET)
        floor = peers.floor(self._folder / "floor", self._workers, "bench.empty:app")
        self._know(FLOOR, floor.port, self._run(floor))
        for name, workers in ((BAREST, self._workers), (BAREST_SOLO, 1)):
            self._least(name, workers, prosody)
        self._start_gateways()

    def _least(self, name: str, workers: int, prosody: Child) -> None:
        """Start the least application, attached."""
        folder = self._folder / f"least {len(self.pids)}"
        environment = {"BENCH_LINK": str(self.prosody.component_port), "BENCH_FOLDER": str(folder)}
        environment["BENCH_ACCOUNT"] = self.credentials["romeo"]["Authorization"]
        least = peers.floor(folder, workers, "bench.barest:create_app()", **environment)
        self._know(name, least.port, self._run(least), prosody)

    def _start_gateways(self) -> None:
        ours = self.gateway("gateway", {"server": {"workers": self._workers}, **self._bot(GATEWAY)})
        self._know(OURS, ours.port, ours, self.prosody)
        self._ours = ours
        self._issue(ours, GATEWAY, "issued", "admin")
        names = {"domain": peers.SOLO, "rooms_domain": "", "conference_domain": ""}
        alone: Sections = {"server": {"workers": 1}, "gateway": names, **self._bot(peers.SOLO)}
        one = self._run(Gateway(self._folder / "solo", self.prosody.component_port, alone))
        self._know(SOLO, one.port, one, self.prosody)
        account = {"user": "romeo", "host": peers.SOLO, "password": PASSWORD}
        self._ask(one, "POST", "/api/register", account, "admin, solo")
        self._ask(one, "PUT", "/data/settings", {"theme": "dark"}, "romeo, solo")
        self._issue(one, peers.SOLO, "issued, solo", "admin, solo")

    def _bot(self, domain: str) -> Sections:
        return {"callback.bot": {"url": f"http://127.0.0.1:{self.answering}/", "address": f"bot@{domain}", "reply_rate": 10_000}}

    def _issue(self, gateway: Gateway, domain: str, name: str, admin: str) -> None:
        """Have a token made, and know it by this name."""
        asked = {"jid": f"admin@{domain}", "ttl": 86400, "scopes": ["ejabberd:admin"]}
        token = self._ask(gateway, "POST", "/api/oauth_issue_token", asked, admin)["token"]
        self.credentials[name] = {"Authorization": f"Bearer {token}"}

    def _ask(self, gateway: Gateway, method: str, path: str, body: object, who: str) -> Any:
        answer = gateway.http.request(method, path, json=body, headers=self.credentials[who] | {"Content-Type": "application/json"})
        return answer.json() if answer.data else None

    def follower(self) -> int:
        """A process of the gateway that has not the link; 0 where there is one process."""
        leader = int(re.findall(r"process (\d+) leads", self._ours.log())[-1])
        return min(children(self._ours.pid) - {leader}, default=0)

    def stock(self) -> None:
        """Start the gateway's application under gunicorn's own worker, and nginx before both."""
        if STOCK in self.ports:
            return
        stock = peers.Stock(self._folder / "stock", self._workers)
        self._know(STOCK, stock.port, self._run(stock))
        if peers.have("nginx"):
            for server in (OURS, STOCK):
                site = Nginx(self._folder / f"nginx-{self.ports[server]}", self.ports[server])
                self._run(site)
                self.ports[f"nginx, {server}"], self.pids[f"nginx, {server}"] = site.port, self.pids[server][:1]

    def gateway(self, name: str, sections: Sections) -> Gateway:
        """A gateway with the account romeo, attached."""
        gateway = Gateway(self._folder / name, self.prosody.component_port, sections)
        self._run(gateway)
        gateway.register("romeo")
        if sections.get("link", {}).get("kind") != "none":
            gateway.wait_state("online")
        return gateway

    def _small(self, script: str, *arguments: str, port: int = 0) -> Child:
        self._count += 1
        return self._run(peers.Small(self._folder / f"small {self._count}", str(HERE / script), *arguments, port=port))

    def _know(self, name: str, port: int, *children: Child) -> None:
        self.ports[name] = port
        self.pids[name] = tuple(child.pid for child in children)

    def target(self, ask: Ask) -> Target | None:
        """Where this request goes; None where its server is not there."""
        if ask.server not in self.ports:
            return None
        kind = {"Content-Type": ask.kind} if ask.kind else {}
        return Target(self.ports[ask.server], ask.method, ask.path, ask.body, {**self.credentials[ask.who], **kind})
