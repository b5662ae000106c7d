"""Debian's Prosody, run for the tests alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from .child import LOOPBACK
from .xmppserver import COMPONENTS, CONFERENCE, DOMAIN, PASSWORD, SECRET, USERS, XMPPServer

CONFIG = """
run_as_root = true -- only looked at where the tests themselves run as root, as they do in a container
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}/certs"
log = {{ {{ levels = {{ min = "debug" }}, to = "file", filename = "{folder}/prosody.log" }} }}
interfaces = {{ "{loopback}" }}
local_interfaces = {{ "{loopback}" }}
c2s_ports = {{ {c2s} }}
component_ports = {{ {component} }}
component_interfaces = {{ "{loopback}" }}
c2s_direct_tls_ports = {{}}
s2s_ports = {{}}
http_ports = {{}}
https_ports = {{}}
modules_enabled = {{
    "roster", "saslauth", "disco", "version", "uptime", "time", "ping", "lastactivity", "posix", "carbons", "vcard4", "vcard_legacy", "pep",
}}
modules_disabled = {{ "s2s", "tls" }}
authentication = "internal_plain"
storage = "internal"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true

VirtualHost "{domain}"

Component "{conference}" "muc"
    muc_room_locking = false
    restrict_room_creation = false
    muc_room_default_public = true
"""
COMPONENT = """
Component "{name}"
    component_secret = "{secret}"
"""


class Prosody(XMPPServer):
    """Debian's Prosody (0.12 or 13) in the foreground, with its own configuration, data and log."""

    name: ClassVar[str] = "prosody"
    program: ClassVar[str] = "prosody"
    one_connection_per_component: ClassVar[bool] = True
    any_component: ClassVar[bool] = False

    def command(self) -> list[str]:
        return [shutil.which("prosody") or "prosody", "--config", f"{self.folder}/prosody.cfg.lua", "-F"]

    def logs(self) -> list[Path]:
        return [self.output, self.folder / "prosody.log"]

    def configure(self) -> None:
        for name in "data", "certs":
            (self.folder / name).mkdir(exist_ok=True)
        text = CONFIG.format(
            folder=self.folder, loopback=LOOPBACK, c2s=self.c2s_port, component=self.component_port,
            domain=DOMAIN, conference=CONFERENCE,
        )  # fmt: skip
        text += "".join(COMPONENT.format(name=name, secret=SECRET) for name in COMPONENTS)
        (self.folder / "prosody.cfg.lua").write_text(text)
        accounts = self.folder / "data" / DOMAIN.replace(".", "%2e") / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        for user in USERS:
            (accounts / f"{user}.dat").write_text(f'return {{\n\t["password"] = "{PASSWORD}";\n}};\n')
