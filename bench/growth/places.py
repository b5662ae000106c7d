"""Empty storages of each driver, with a gateway on them."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple
from unittest.mock import patch

from flask import Flask

from bench.request_costs import basic, call, request
from drivers import Driver, open_driver
from tests.drivers.postgrescluster import Cluster, program
from tests.link.fake import attach
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway

DOMAIN = "capulet.example"
ADMIN = f"admin@{DOMAIN}"
PASSWORD = "R0m30-forever"  # of request_costs.basic
FILES = ("flatfile", "jsonfile")


class Storage(NamedTuple):
    """An empty storage: the folder of everything, and the URL."""

    kind: str
    folder: Path
    url: str

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """The storage, opened."""
        with closing(open_driver(self.url, self.folder)) as driver:
            yield driver

    @contextmanager
    def filling(self) -> Iterator[Driver]:
        """The storage, for filling: files are not waited for until they are on disk."""
        with patch.object(os, "fsync", lambda _: None), self.driver() as driver:
            driver.check()
            yield driver
        os.sync()

    @contextmanager
    def house(self) -> Iterator[House]:
        """A gateway on this storage, started."""
        given = {
            "gateway_domain": DOMAIN, "auth_admins": ADMIN, "auth_admin_password": PASSWORD, "server_data_dir": str(self.folder / "data"),
            "storage_url": self.url, "auth_iterations": "4096", "rooms_per_owner": "10000",
        }  # fmt: skip
        app = build(load_settings(None, {f"XMPP_REST_{name.upper()}": value for name, value in given.items()}))
        gateway: Gateway = app.extensions["gateway"]
        try:
            gateway.start()
            attach(gateway.parts.router, lambda _domain, _stanza: None)
            yield House(app, gateway)
        finally:
            gateway.stop()

    def bytes_on_disk(self) -> int:
        """What the storage takes, in bytes of whole blocks."""
        files = (path.stat() for path in self.folder.rglob("*") if path.is_file())
        return sum(stat.st_blocks * 512 for stat in files)


class House(NamedTuple):
    """A gateway without a server: requests are direct WSGI calls."""

    app: Flask
    gateway: Gateway

    def ask(self, method: str, path: str, value: Any = None, user: str = ADMIN, **fields: str) -> bytes:
        """The body of a successful answer."""
        environ = request(method, path, basic(user), value) | {f"HTTP_{name.upper()}": text for name, text in fields.items()}
        status, body = call(self.app.wsgi_app, environ)
        if status[0] != "2":
            raise RuntimeError(f"{method} {path}: {status} {body[:300]!r}")
        return body

    def drain(self, method: str, path: str, value: Any = None, user: str = ADMIN) -> int:
        """Read an answer part by part and keep none; its length."""
        environ = request(method, path, basic(user), value)
        environ["wsgi.input"] = io.BytesIO(environ.pop("body"))
        answer = self.app.wsgi_app(environ, lambda _status, _fields, _error=None: lambda _: None)
        length = sum(map(len, answer))
        if close := getattr(answer, "close", None):
            close()
        return length

    def command(self, name: str, /, **arguments: Any) -> bytes:
        """The body of the result of a command."""
        return self.ask("POST", f"/api/{name}", arguments)


@contextmanager
def empty_storage(kind: str, where: Path, cluster: Cluster | None) -> Iterator[Storage]:
    """A storage of this kind below `where`, removed at the end."""
    folder = Path(mkdtemp(prefix="growth-", dir=where))
    try:
        url = cluster.new_database() if cluster else f"{kind}:{folder / 'storage'}"
        yield Storage(kind, folder, url)
    finally:
        shutil.rmtree(folder)


@contextmanager
def cluster_for(kinds: list[str]) -> Iterator[Cluster | None]:
    """A PostgreSQL server of the benchmark's own, if one is needed."""
    if "postgresql" not in kinds:
        yield None
        return
    if program("initdb") is None:
        raise SystemExit("postgresql: there is no initdb; install Debian's postgresql, or leave it out by --drivers")
    cluster = Cluster()
    try:
        cluster.start("fsync=on")
        yield cluster
    finally:
        cluster.stop()
