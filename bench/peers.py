"""The servers that are compared: Prosody with its HTTP modules, ejabberd, the floor; each with the same accounts."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.barest import DOMAINS as BAREST
from tests.live.child import Child, answers, free_port
from tests.live.ejabberd import Ejabberd
from tests.live.gateway import ROOT
from tests.live.prosody import Prosody
from tests.live.xmppserver import DOMAIN, GATEWAY, PASSWORD, SECRET, USERS

PLAIN = "plain.example"  # a host of Prosody whose passwords are not hashed
SINK, ECHO, FLOOD, SOLO, BOT = (f"{name}.{DOMAIN}" for name in ("sink", "echo", "flood", "solo", "restbot"))

PROSODY = """
http_ports = {{ {http} }}
http_interfaces = {{ "127.0.0.1" }}
plugin_paths = {{ "{plugins}" }}
log = {{ error = "{folder}/prosody.log" }}
authentication = "internal_hashed"
"""
PROSODY_HOSTS = """
VirtualHost "{plain}"
    authentication = "internal_plain"
    modules_enabled = {{ {modules} }}

Component "{bot}" "rest"
    rest_callback_url = "http://127.0.0.1:{callback}/"
"""


class BenchProsody(Prosody):
    """The server behind the gateway; with mod_rest and mod_data_access from `plugins`, a peer as well. Logs errors alone."""

    def __init__(self, folder: Path, plugins: str, callback_port: int) -> None:
        super().__init__(folder)
        self.http_port = free_port()
        self.plugins = plugins
        self.callback_port = callback_port

    def environment(self) -> Mapping[str, str]:
        return {"LUA_INIT": "unpack = unpack or table.unpack"}  # mod_data_access was written for Lua 5.1

    def configure(self) -> None:
        super().configure()
        path = self.folder / "prosody.cfg.lua"
        head, host, rest = path.read_text().partition("VirtualHost")
        modules = '"rest", "data_access"' if has_data_access(self.plugins) else '"rest"'
        for setting in ("log", "http_ports", "authentication"):
            head = re.sub(rf"(?m)^{setting} = .*$", "", head)
        head += PROSODY.format(http=self.http_port, plugins=self.plugins, folder=self.folder)
        rest = re.sub(rf'^( "{DOMAIN}")', rf"\1\n    modules_enabled = {{ {modules} }}", rest) if self.plugins else rest
        text = (
            head
            + host
            + rest
            + "".join(f'Component "{d}"\n    component_secret = "{SECRET}"\n' for d in (SINK, ECHO, FLOOD, SOLO, *BAREST))
        )
        if self.plugins:
            text += PROSODY_HOSTS.format(modules=modules, plain=PLAIN, bot=BOT, callback=self.callback_port)
            accounts = self.folder / "data" / PLAIN.replace(".", "%2e") / "accounts"
            accounts.mkdir(parents=True)
            (accounts / f"{USERS[0]}.dat").write_text(f'return {{\n\t["password"] = "{PASSWORD}";\n}};\n')
        path.write_text(text)


class BenchEjabberd(Ejabberd):
    """With mod_http_api: juliet is an administrator by her hashed password; without credentials, loopback is one."""

    http_port: int
    MORE: ClassVar[str] = """
acl: {{admin: {{user: ["juliet@{domain}"]}}}}
access_rules: {{admins: {{allow: admin}}}}
api_permissions:
  "loopback": {{from: [mod_http_api], who: {{ip: 127.0.0.1/8}}, what: "*"}}
  "admins": {{from: [mod_http_api], who: {{access: admins}}, what: "*"}}
"""
    LISTEN: ClassVar[str] = """listen:
  - port: {http}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {{/api: mod_http_api}}
"""

    def configure(self) -> None:
        super().configure()
        self.http_port = free_port()
        path = self.folder / "ejabberd.yml"
        text = path.read_text()
        for old, new in (
            ("listen:\n", self.LISTEN.format(http=self.http_port)),
            ("loglevel: info", "loglevel: error"),
            ("auth_password_format: plain", "auth_password_format: scram"),
            ("  mod_disco:", "  mod_admin_extra: {}\n  mod_disco:"),
        ):
            text = text.replace(old, new)
        path.write_text(text + self.MORE.format(domain=DOMAIN))


class Small(Child):
    """One of the little programs beside this file, or the floor."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0, **environment: str) -> None:
        super().__init__(folder)
        self.arguments = arguments
        self.port = port
        self._environment = environment

    def command(self) -> list[str]:
        return [sys.executable, *self.arguments]

    def environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(ROOT), **self._environment}

    def ready(self) -> bool:
        return answers(self.port) if self.port else self.running


class Stock(Small):
    """The gateway's application, without a link, under gunicorn's own threaded worker."""

    def __init__(self, folder: Path, workers: int) -> None:
        options = ["--workers", str(workers), "--threads", "64", "-k", "gthread", "--no-control-socket", "--log-level", "warning"]
        port = free_port()
        command = ["-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--chdir", str(ROOT), *options, "app:create_app()"]
        super().__init__(folder, *command, port=port, XMPP_REST_CONFIG=str(folder / "wsgi.ini"))
        (folder / "wsgi.ini").write_text(f"[server]\ndata_dir = {folder}/data\nlog_level = warning\n[gateway]\ndomain = {GATEWAY}\n")

    def ready(self) -> bool:
        """Once a request is answered: the processes first have to agree on a leader."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        return False


def floor(folder: Path, workers: int, app: str, **environment: str) -> Small:
    """A Flask application that does next to nothing, served as the gateway is."""
    port = free_port()
    options = ["--workers", str(workers), "--threads", "64", "-k", "xmpp_rest.serving.worker.Worker", "--no-control-socket"]
    return Small(folder, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", *options, "--log-level", "warning", app, port=port, **environment)


def plugins() -> str:
    """The folder of prosody-modules that PROSODY_PLUGINS names; empty without one that has mod_rest."""
    folder = os.environ.get("PROSODY_PLUGINS", "")
    return folder if folder and (Path(folder) / "mod_rest").is_dir() else ""


def has_data_access(plugins: str) -> bool:
    """Whether mod_data_access is there: Debian's packages have mod_rest alone."""
    return bool(plugins) and (Path(plugins) / "mod_data_access").is_dir()


def have(program: str) -> bool:
    return shutil.which(program) is not None
