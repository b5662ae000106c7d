"""The servers of the foreign accounts, with TLS 1.3, many accounts and quiet logs; Prosody has mod_rest for them, if it is there."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping

from bench.peers import SINK, SOLO, plugins
from tests.live.child import LOOPBACK
from tests.live.prosody import COMPONENT
from tests.live.tls_servers import FOREIGN, FOREIGN_USERS, TLSEjabberd, TLSProsody, TLSServer
from tests.live.xmppserver import PASSWORD, SECRET

ACCOUNTS = 1000
OTHERS = tuple(f"guest{n}" for n in range(ACCOUNTS))
"""Accounts beside FOREIGN_USERS."""
SILENT = "silent.example"


class GuestProsody(TLSProsody):
    """Debian's Prosody. What is sent is not archived: the archive of the storage that it has by default holds 10,000 items."""

    start_timeout = 120.0

    def environment(self) -> Mapping[str, str]:
        return {"LUA_INIT": "unpack = unpack or table.unpack"}

    def configure(self) -> None:
        if found := plugins():
            self.more += f'plugin_paths = {{ "{found}" }}\n'
        super().configure()
        path = self.folder / "prosody.cfg.lua"
        text = re.sub(r"(?m)^log = .*$", f'log = {{ error = "{self.folder}/prosody.log" }}', path.read_text())
        text = text.replace("default_archive_policy = true", "default_archive_policy = false")
        if found:
            text = text.replace(f'VirtualHost "{FOREIGN}"', f'VirtualHost "{FOREIGN}"\n    modules_enabled = {{ "rest" }}')
        path.write_text(text + "".join(COMPONENT.format(name=name, secret=SECRET) for name in (SINK, SOLO)))
        for user in OTHERS:
            self.set_password(user, PASSWORD)


class GuestEjabberd(TLSEjabberd):
    """Debian's ejabberd. What is sent is not archived."""

    start_timeout = 120.0

    def configure(self) -> None:
        super().configure()
        path = self.folder / "ejabberd.yml"
        path.write_text(path.read_text().replace("loglevel: info", "loglevel: error").replace("default: always", "default: never"))

    def command(self) -> list[str]:
        return self.command_for(FOREIGN, (*FOREIGN_USERS, *OTHERS))


SERVERS: tuple[type[TLSServer], ...] = (GuestProsody, GuestEjabberd)


class Silent:
    """A server of `*.silent.example` that takes connections and never says a word. A context."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0), backlog=1024)

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def login_settings(self) -> dict[str, str]:
        """What a section `[login.NAME]` says of it."""
        return {"domains": f"*.{SILENT}", "host": LOOPBACK, "port": str(self._listener.getsockname()[1]), "tls": "direct"}
