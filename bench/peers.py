"""The servers that are compared: Prosody with its HTTP modules, ejabberd, the floor; each with the same accounts."""

from __future__ import annotations

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
from tests.live.xmppserver import DOMAIN, PASSWORD, SECRET, USERS

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
    modules_enabled = {{ "rest", "data_access" }}

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
        for setting in ("log", "http_ports", "authentication"):
            head = re.sub(rf"(?m)^{setting} = .*$", "", head)
        head += PROSODY.format(http=self.http_port, plugins=self.plugins, folder=self.folder)
        rest = re.sub(rf'^( "{DOMAIN}")', r'\1\n    modules_enabled = { "rest", "data_access" }', rest) if self.plugins else rest
        text = (
            head
            + host
            + rest
            + "".join(f'Component "{d}"\n    component_secret = "{SECRET}"\n' for d in (SINK, ECHO, FLOOD, SOLO, *BAREST))
        )
        if self.plugins:
            text += PROSODY_HOSTS.format(plain=PLAIN, bot=BOT, callback=self.callback_port)
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


def floor(folder: Path, workers: int, app: str, **environment: str) -> Small:
    """A Flask application that does next to nothing, served as the gateway is."""
    port = free_port()
    options = ["--workers", str(workers), "--threads", "64", "-k", "xmpp_rest.serving.worker.Worker", "--no-control-socket"]
    return Small(folder, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", *options, "--log-level", "warning", app, port=port, **environment)


def plugins() -> str:
    """The folder of prosody-modules that PROSODY_PLUGINS names; empty without one that has the modules."""
    folder = os.environ.get("PROSODY_PLUGINS", "")
    return folder if folder and all((Path(folder) / m).is_dir() for m in ("mod_rest", "mod_data_access")) else ""


def have(program: str) -> bool:
    return shutil.which(program) is not None
