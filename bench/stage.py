"""The servers of a run, and the names by which scenarios ask for them."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from pathlib import Path

from bench import peers
from bench.load import Target
from bench.scenarios import BAREST, EJABBERD, FLOOR, MOD_DATA, MOD_REST, OURS, SOLO, Ask
from tests.live.child import Child, free_port
from tests.live.gateway import PASSWORD, TOKEN, Gateway, Sections
from tests.live.xmppserver import DOMAIN, GATEWAY, SECRET
from tests.live.xmppserver import PASSWORD as PEER_PASSWORD

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

    def _run(self, child: Child) -> Child:
        child.start()
        self._stack.callback(child.stop)
        return child

    def _start_all(self) -> None:
        self._small("answering.py", str(self.answering), port=self.answering)
        prosody = self._run(self.prosody)
        for role, domain in (("sink", peers.SINK), ("echo", peers.ECHO)):
            self.pids[role] = (self._small("bare.py", role, str(self.prosody.component_port), domain, SECRET).pid, prosody.pid)
        if self.prosody.plugins:
            for name in (MOD_REST, MOD_DATA):
                self._know(name, self.prosody.http_port, prosody)
        if peers.have("ejabberdctl"):
            ejabberd = peers.BenchEjabberd(self._folder / "ejabberd")
            self._run(ejabberd)
            self._know(EJABBERD, ejabberd.http_port, ejabberd)
            self._small("bare.py", "sink", str(ejabberd.component_port), peers.SINK, SECRET)
        floor = peers.floor(self._folder / "floor", self._workers, "bench.empty:app")
        self._know(FLOOR, floor.port, self._run(floor))
        environment = {"BENCH_LINK": str(self.prosody.component_port), "BENCH_FOLDER": str(self._folder / "barest")}
        barest = peers.floor(self._folder / "barest", self._workers, "bench.barest:create_app()", **environment)
        self._know(BAREST, barest.port, self._run(barest), prosody)
        self._start_gateways()

    def _start_gateways(self) -> None:
        bot = {"callback.bot": {"url": f"http://127.0.0.1:{self.answering}/", "address": f"bot@{GATEWAY}", "reply_rate": 10_000}}
        ours = self.gateway("gateway", {"server": {"workers": self._workers}, **bot})
        self._know(OURS, ours.port, ours, self.prosody)
        asked = {"jid": f"admin@{GATEWAY}", "ttl": 86400, "scopes": ["ejabberd:admin"]}
        token = ours.post_json(asked, "admin", "/api/oauth_issue_token").json()["token"]
        self.credentials["issued"] = {"Authorization": f"Bearer {token}"}
        alone = {"domain": peers.SOLO, "rooms_domain": "", "conference_domain": ""}
        one = Gateway(self._folder / "solo", self.prosody.component_port, {"server": {"workers": 1}, "gateway": alone})
        self._run(one)
        account = {"user": "romeo", "host": peers.SOLO, "password": PASSWORD}
        headers = self.credentials_of_solo_admin() | {"Content-Type": "application/json"}
        one.http.request("POST", "/api/register", json=account, headers=headers)
        one.http.request("PUT", "/data/settings", json={"theme": "dark"}, headers=self.credentials["romeo, solo"])
        self._know(SOLO, one.port, one, self.prosody)

    def credentials_of_solo_admin(self) -> dict[str, str]:
        return _basic(solo("admin"), PASSWORD)

    def gateway(self, name: str, sections: Sections) -> Gateway:
        """A gateway with the account romeo, attached."""
        gateway = Gateway(self._folder / name, self.prosody.component_port, sections)
        self._run(gateway)
        gateway.register("romeo")
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
