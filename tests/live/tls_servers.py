"""The servers of accounts that log in through the gateway: Prosody and ejabberd with TLS, archive, carbons, resumption, rooms and uploads.

Unlike the servers that the gateway is a component of, these ask for encryption, and have what an account's own server usually has. Each
listens for STARTTLS and for direct TLS, and for components, so that hosted accounts of a gateway can meet foreign ones.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import urllib3
from slixmpp import ClientXMPP

from tests.authority import Authority

from .child import LOOPBACK, answers, free_port
from .ejabberd import Ejabberd
from .prosody import COMPONENT, Prosody
from .users import PLUGINS, Client, EventLoop, say_available
from .xmppserver import COMPONENTS, PASSWORD, SECRET, XMPPServer

FOREIGN = "montague.example"
"""The domain of the foreign accounts."""
FOREIGN_ROOMS = f"rooms.{FOREIGN}"
FOREIGN_UPLOAD = f"upload.{FOREIGN}"
FOREIGN_USERS = ("romeo", "benvolio", "mercutio", "juliet")

PROSODY = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ {{ levels = {{ min = "debug" }}, to = "file", filename = "{folder}/prosody.log" }} }}
interfaces = {{ "{loopback}" }}
local_interfaces = {{ "{loopback}" }}
c2s_ports = {{ {c2s} }}
c2s_direct_tls_ports = {{ {direct} }}
component_ports = {{ {component} }}
component_interfaces = {{ "{loopback}" }}
s2s_ports = {{}}
http_ports = {{ {http} }}
https_ports = {{}}
http_interfaces = {{ "{loopback}" }}
http_external_url = "http://{loopback}:{http}/"
ssl = {{ certificate = "{chain}"; key = "{key}" }}
c2s_direct_tls_ssl = {{ certificate = "{chain}"; key = "{key}" }}
modules_enabled = {{
    "roster", "saslauth", "tls", "disco", "version", "time", "ping", "posix", "carbons", "mam", "smacks", "blocklist", "offline",
    "vcard4", "vcard_legacy", "pep", "private", "user_account_management",
}}
modules_disabled = {{ "s2s" }}
authentication = "internal_hashed"
storage = "internal"
c2s_require_encryption = true
smacks_hibernation_time = {hibernation}
default_archive_policy = true
archive_expires_after = "never"
{more}

VirtualHost "{domain}"
    http_host = "{loopback}"
    disco_items = {{ {{ "{upload}" }} }}

Component "{rooms}" "muc"
    modules_enabled = {{ "muc_mam" }}
    muc_room_locking = false
    muc_room_default_public = true

Component "{upload}" "http_file_share"
    http_host = "{loopback}"
    http_file_share_access = {{ "{domain}" }}
    http_file_share_size_limit = 1048576
"""

EJABBERD = """
hosts: ["{domain}"]
loglevel: info
certfiles: ["{both}"]
listen:
  - port: {c2s}
    ip: "{loopback}"
    module: ejabberd_c2s
    access: all
    starttls: true
    starttls_required: true
    max_stanza_size: 262144
  - port: {direct}
    ip: "{loopback}"
    module: ejabberd_c2s
    access: all
    tls: true
    max_stanza_size: 262144
  - port: {http}
    ip: "{loopback}"
    module: ejabberd_http
    request_handlers: {{"/upload": mod_http_upload, "/api": mod_http_api}}
  - port: {component}
    ip: "{loopback}"
    module: ejabberd_service
    access: all
    password: "{secret}"
api_permissions:
  "test": {{who: [ip: 127.0.0.0/8], what: ["*"]}}
auth_method: internal
auth_password_format: scram
disable_sasl_mechanisms: [digest-md5, x-oauth2]
s2s_access: none
{more}
modules:
  mod_admin_extra: {{}}
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_disco: {{}}
  mod_http_upload:
    host: "{upload}"
    docroot: "{folder}/upload"
    put_url: "http://{loopback}:{http}/upload"
    access: all
    max_size: 1048576
  mod_last: {{}}
  mod_mam: {{default: always, request_activates_archiving: false}}
  mod_muc:
    host: "{rooms}"
    access: all
    access_create: all
    access_mam: all
    default_room_options: {{mam: true, public: true}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_http_api: {{}}
  mod_pubsub: {{plugins: [flat, pep]}}
  mod_register: {{}}
  mod_roster: {{}}
  mod_stream_mgmt: {{resend_on_timeout: if_offline, resume_timeout: {hibernation}}}
  mod_time: {{}}
  mod_vcard: {{}}
  mod_version: {{show_os: false}}
{modules}
"""


class TLSServer(XMPPServer):
    """A server of foreign accounts (`FOREIGN_USERS`, with the usual password) and its certificate."""

    domain: ClassVar[str] = FOREIGN
    users: ClassVar[tuple[str, ...]] = FOREIGN_USERS

    def __init__(self, folder: Path, authority: Authority, more: str = "", modules: str = "", hibernation: int = 60) -> None:
        """`more`: of its configuration; `modules`: of ejabberd; `hibernation`: seconds for which a broken stream may be resumed."""
        super().__init__(folder)
        self.direct_port = free_port()
        self.http_port = free_port()
        self.authority = authority
        self.certificate = authority.issue(FOREIGN, FOREIGN_ROOMS, FOREIGN_UPLOAD)
        self.more = more
        self.modules = modules
        self.hibernation = hibernation

    def ready(self) -> bool:
        return answers(self.c2s_port) and answers(self.direct_port) and answers(self.http_port) and answers(self.component_port)

    def login_settings(self, tls: str = "direct", port: int | None = None) -> dict[str, str]:
        """What a section `[login.NAME]` says of this server; `port`: of a relay in front of it."""
        own = self.direct_port if tls == "direct" else self.c2s_port
        return {"domains": FOREIGN, "host": LOOPBACK, "port": str(port or own), "tls": tls, "ca_file": str(self.authority.ca_file)}

    def jid(self, user: str) -> str:
        """The bare address of an account."""
        return f"{user}@{FOREIGN}"

    @abstractmethod
    def set_password(self, user: str, password: str) -> None:
        """Change the password of an account, as its administrator may, while the server runs or not."""


class TLSProsody(TLSServer, Prosody):
    """Debian's Prosody, which makes SCRAM-SHA-1 keys of 10,000 rounds at the first login."""

    def configure(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        text = PROSODY.format(
            folder=self.folder, loopback=LOOPBACK, c2s=self.c2s_port, direct=self.direct_port, http=self.http_port,
            component=self.component_port, chain=self.certificate.chain, key=self.certificate.key, hibernation=self.hibernation,
            domain=FOREIGN, rooms=FOREIGN_ROOMS, upload=FOREIGN_UPLOAD, more=self.more,
        )  # fmt: skip
        text += "".join(COMPONENT.format(name=name, secret=SECRET) for name in COMPONENTS)
        (self.folder / "prosody.cfg.lua").write_text(text)
        for user in FOREIGN_USERS:
            self.set_password(user, PASSWORD)

    def set_password(self, user: str, password: str) -> None:
        accounts = self.folder / "data" / FOREIGN.replace(".", "%2e") / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        (accounts / f"{user}.dat").write_text(f'return {{\n\t["password"] = "{password}";\n}};\n')


class TLSEjabberd(TLSServer, Ejabberd):
    """Debian's ejabberd, which keeps passwords as SCRAM-SHA-1 with 4,096 rounds."""

    def configure(self) -> None:
        for name in "spool", "upload":
            (self.folder / name).mkdir(exist_ok=True)
        both = self.folder / "both.pem"
        both.write_bytes(self.certificate.chain.read_bytes() + self.certificate.key.read_bytes())
        text = EJABBERD.format(
            folder=self.folder, loopback=LOOPBACK, c2s=self.c2s_port, direct=self.direct_port, http=self.http_port, both=both,
            component=self.component_port, secret=SECRET, hibernation=self.hibernation, domain=FOREIGN, rooms=FOREIGN_ROOMS, upload=FOREIGN_UPLOAD,
            more=self.more, modules=self.modules,
        )  # fmt: skip
        (self.folder / "ejabberd.yml").write_text(text)

    def command(self) -> list[str]:
        return self.command_for(FOREIGN, FOREIGN_USERS)

    def ready(self) -> bool:
        return self._ready.exists() and super().ready()

    def set_password(self, user: str, password: str) -> None:
        self.api("change_password", user=user, host=FOREIGN, newpass=password)

    def api(self, command: str, /, **arguments: object) -> urllib3.BaseHTTPResponse:
        """Run a command of a running server."""
        url = f"http://{LOOPBACK}:{self.http_port}/api/{command}"
        answer = urllib3.request(
            "POST", url, body=json.dumps(arguments), headers={"Content-Type": "application/json"}, retries=False, timeout=30
        )
        assert answer.status == 200, (command, answer.status, answer.data)
        return answer


class ForeignUser(Client):
    """An account of such a server, logged in at it by a client of its own, with STARTTLS."""

    def __init__(
        self, loop: EventLoop, server: TLSServer, name: str, resource: str = "balcony", password: str = PASSWORD, priority: int = 0
    ) -> None:
        def make() -> ClientXMPP:
            xmpp = ClientXMPP(f"{name}@{FOREIGN}/{resource}", password)
            xmpp.enable_direct_tls = False
            xmpp.ca_certs = server.authority.ca_file
            for plugin in PLUGINS:
                xmpp.register_plugin(plugin)
            say_available(xmpp, priority)
            return xmpp

        super().__init__(loop, make, (LOOPBACK, server.c2s_port))


TLS_SERVERS: tuple[type[TLSServer], ...] = (TLSProsody, TLSEjabberd)
