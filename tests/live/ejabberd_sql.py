"""ejabberd with its data in a database, or in Mnesia, and its API open to the test: the servers that an import reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import urllib3

from .child import LOOPBACK, answers, free_port
from .ejabberd import Ejabberd
from .xmppserver import CONFERENCE, DOMAIN, PASSWORD

CONFIG = """
hosts: ["{domain}"]
loglevel: info
listen:
  - port: {c2s}
    ip: "{loopback}"
    module: ejabberd_c2s
    access: all
  - port: {http}
    ip: "{loopback}"
    module: ejabberd_http
    request_handlers: {{"/api": mod_http_api}}
api_permissions:
  "test": {{who: [ip: 127.0.0.0/8], what: ["*"]}}
auth_method: {auth}
auth_password_format: scram
default_db: {db}
disable_sasl_mechanisms: [digest-md5, x-oauth2]
s2s_access: none
{database}
modules:
  mod_adhoc: {{}}
  mod_admin_extra: {{}}
  mod_announce: {{}}
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_last: {{}}
  mod_mam: {{default: always, request_activates_archiving: false}}
  mod_muc:
    host: "{conference}"
    access: all
    access_create: all
    access_persistent: all
    access_mam: all
    default_room_options: {{mam: true, persistent: true, allow_subscription: true}}
  mod_muc_admin: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub: {{plugins: [flat, pep]}}
  mod_roster: {{}}
  mod_shared_roster: {{}}
  mod_vcard: {{}}
"""


class EjabberdSQL(Ejabberd):
    """ejabberd whose data is in the database that `settings` (of its configuration) name, or unless `stored` there in Mnesia."""

    def __init__(self, folder: Path, settings: str, *, stored: bool = True) -> None:
        super().__init__(folder)
        self.http_port = free_port()
        self._settings = settings
        self._kinds = {"auth": "sql", "db": "sql"} if stored else {"auth": "internal", "db": "mnesia"}
        self._http = urllib3.HTTPConnectionPool(LOOPBACK, self.http_port, retries=False, timeout=30)

    def configure(self) -> None:
        (self.folder / "spool").mkdir()
        text = CONFIG.format(
            loopback=LOOPBACK, c2s=self.c2s_port, http=self.http_port, domain=DOMAIN, conference=CONFERENCE, database=self._settings, **self._kinds
        )  # fmt: skip
        (self.folder / "ejabberd.yml").write_text(text)

    def ready(self) -> bool:
        return self._ready.exists() and answers(self.c2s_port) and answers(self.http_port)

    def stop(self, timeout: float = 15.0) -> None:
        self._http.close()
        super().stop(timeout)

    def api(self, command: str, /, **arguments: object) -> object:
        """Run a command in its first version, the only one of ejabberd 23.01, which does not know versions. What it returns."""
        version = "/v0" if self._post("status/v0", {}).status == 200 else ""
        return self.newest(command + version, **arguments)

    def newest(self, command: str, /, **arguments: object) -> object:
        """Run a command in its newest version. What it returns."""
        answer = self._post(command, arguments)
        assert answer.status == 200, (command, answer.status, answer.data)
        return answer.json()

    def _post(self, path: str, arguments: Mapping[str, object]) -> urllib3.BaseHTTPResponse:
        body = json.dumps(arguments)
        return self._http.request("POST", f"/api/{path}", body=body, headers={"Content-Type": "application/json"})

    def knows(self, command: str) -> bool:
        """Whether there is a command of this name."""
        return self._post(command, {}).status != 404

    def register(self, user: str, password: str = PASSWORD) -> None:
        """Make an account."""
        self.api("register", user=user, host=DOMAIN, password=password)
