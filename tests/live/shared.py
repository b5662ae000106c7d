"""One storage that a Prosody and a gateway of the same domain have in turn, and what real clients of both see in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4
from xml.etree import ElementTree as ET

from urllib3.util import make_headers

from .beside import Beside
from .gateway import PASSWORD as ADMIN_PASSWORD
from .gateway import Gateway
from .users import EventLoop, User
from .xmppserver import DOMAIN, PASSWORD

STORAGES = ("flatfile", "sqlite", "postgresql")
MAM = "{urn:xmpp:mam:2}"
FORWARD = "{urn:xmpp:forward:0}"


class ArchivedMessage(NamedTuple):
    """A message in an archive, as Prosody shows it."""

    id: str
    stamp: datetime
    body: str


class Shared:
    """Both programs on one storage. With SQLite the one ends before the other begins; otherwise both run all the time."""

    def __init__(self, loop: EventLoop, folder: Path, storage: str, database: str) -> None:
        self.loop = loop
        self.storage = storage
        self.file = folder / "server/data/prosody.sqlite"
        """The file with SQLite."""
        self.rounds = 1 if storage == "sqlite" else 2
        """How often a test repeats itself: with SQLite each turn takes a start and an end."""
        self.server = Beside(folder / "server")
        data = folder / "server/data"
        data.mkdir()
        url = {"flatfile": f"flatfile:{data}", "sqlite": f"sqlite:{data}/prosody.sqlite", "postgresql": database}[storage]
        if storage == "sqlite":
            self.server.storage = 'storage = "sql"; sql = { driver = "SQLite3", database = "prosody.sqlite" }'
        elif storage == "postgresql":
            name, _, host = database.removeprefix("postgresql://postgres@/").partition("?host=")
            self.server.storage = (
                f'storage = "sql"; sql = {{ driver = "PostgreSQL", database = "{name}", username = "postgres", host = "{host}" }}'
            )
        sections: dict[str, dict[str, object]] = {
            "server": {"workers": 1},
            "gateway": {"domain": DOMAIN},
            "link": {"kind": "none"},
            "auth": {"iterations": 4096},
            "storage": {"url": url},
        }
        self._gateway = Gateway(folder / "gateway", 1, sections)

    def prosody(self) -> Beside:
        """Prosody, whose turn it is now."""
        self._turn(self._gateway, self.server)
        return self.server

    def gateway(self) -> Gateway:
        """The gateway, whose turn it is now."""
        self._turn(self.server, self._gateway)
        return self._gateway

    def _turn(self, before: Beside | Gateway, now: Beside | Gateway) -> None:
        if self.storage == "sqlite" and before.running:
            before.stop()
        if not now.running:
            now.start()

    def stop(self) -> None:
        """End what runs."""
        for program in (self._gateway, self.server):
            if program.running:
                program.stop()

    def tail(self) -> str:
        """The ends of both logs."""
        return f"{self.server.tail()}\n\n{self._gateway.tail()}"

    @contextmanager
    def online(self, *names: str, password: str = PASSWORD) -> Iterator[list[User]]:
        """These users, logged in at Prosody. What they have sent is done at the end."""
        self.prosody()
        users = [User(self.loop, self.server, name, password=password) for name in names]
        try:
            for user in users:
                user.connect().deaf = True  # slixmpp grants subscriptions by itself
                barrier(user)  # after the presence, and what was waiting for it
            yield users
            for user in users:
                barrier(user)
        finally:
            for user in users:
                user.close()

    def ask(self, method: str, path: str, user: str, password: str = PASSWORD, body: object = None, **headers: str) -> tuple[int, Any]:
        """A request to the gateway, as `user`: status and what the JSON says."""
        fields = make_headers(basic_auth=f"{user}@{DOMAIN}:{password}") | {k.replace("_", "-"): v for k, v in headers.items()}
        answer = self.gateway().http.request(method, path, headers=fields, json=body)
        return answer.status, answer.json() if answer.data else None

    def command(self, name: str, **arguments: object) -> Any:
        """A command by the administrator, which has to work: its result."""
        status, result = self.ask("POST", f"/api/{name}", "admin", ADMIN_PASSWORD, arguments)
        assert status == 200, (name, result)
        return result

    def say(self, sender: str, to: str, body: str) -> None:
        """A message through the gateway."""
        status, result = self.ask("POST", "/api/messages", sender, body={"to": f"{to}@{DOMAIN}", "body": body})
        assert status == 200, result

    def make_by_prosody(self, *names: str) -> None:
        for name in names:
            self.prosody().user("create_user", name, PASSWORD, DOMAIN)

    def make_by_gateway(self, *names: str) -> None:
        for name in names:
            self.command("register", user=name, host=DOMAIN, password=PASSWORD)

    def history(self, user: str, with_: str = "") -> list[str]:
        """The bodies that the gateway shows to `user`."""
        status, items = self.ask("GET", f"/api/messages/{with_}@{DOMAIN}" if with_ else "/api/messages", user)
        assert status == 200
        return [item["body"] for item in items]


def barrier(user: User) -> None:
    """Returns when the server has done all that the user sent before."""
    assert user.iq(DOMAIN, "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"


def bodies(user: User) -> list[str]:
    """What was delivered to the user since the last look."""
    barrier(user)
    found = (stanza.findtext("{*}body") for stanza in user.drain() if stanza.tag.endswith("}message"))
    return [body for body in found if body is not None]


def page(user: User, rsm: str = "<max>50</max>", **conditions: str) -> list[ArchivedMessage]:
    """A page of the user's archive at Prosody (XEP-0313): `start`, `end`, `with_`."""
    query = uuid4().hex
    named = {"FORM_TYPE": "urn:xmpp:mam:2", **{name.rstrip("_"): value for name, value in conditions.items()}}
    fields = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in named.items())
    form = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x><set xmlns='http://jabber.org/protocol/rsm'>{rsm}</set>"
    answer = user.iq(user.bare, f"<query xmlns='urn:xmpp:mam:2' queryid='{query}'>{form}</query>", "set")
    assert answer.get("type") == "result", ET.tostring(answer)
    found = (stanza.find(f"{MAM}result[@queryid='{query}']") for stanza in user.drain())
    return [_kept(result) for result in found if result is not None]


def _kept(result: ET.Element) -> ArchivedMessage:
    delay = result.find(f"{FORWARD}forwarded/{{urn:xmpp:delay}}delay")
    body = result.findtext(f"{FORWARD}forwarded/{{*}}message/{{*}}body")
    assert delay is not None
    return ArchivedMessage(result.get("id", ""), datetime.fromisoformat(delay.get("stamp", "")), body or "")
