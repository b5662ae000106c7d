"""Debian's ejabberd, run for the tests alone.

The gateway attaches each of its domains by a stream of its own. A listener that has one password and no list of `hosts` gives each stream
its own domain; with `hosts`, every stream would carry all of them, in turn at random, and the order of messages would be lost.

Erlang is started directly and without distribution: no node name, no cookie, and no epmd that would outlive the tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from .child import LOOPBACK
from .xmppserver import CONFERENCE, DOMAIN, PASSWORD, SECRET, USERS, XMPPServer

CONFIG = """
hosts: ["{domain}"]
loglevel: info
listen:
  - port: {c2s}
    ip: "{loopback}"
    module: ejabberd_c2s
    access: all
    max_stanza_size: 1048576
  - port: {component}
    ip: "{loopback}"
    module: ejabberd_service
    access: all
    password: "{secret}"
auth_method: internal
auth_password_format: plain
disable_sasl_mechanisms: [digest-md5, x-oauth2]
s2s_access: none
modules:
  mod_disco: {{}}
  mod_last: {{}}
  mod_muc:
    host: "{conference}"
    access: all
    access_create: all
  mod_offline: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_time: {{}}
  mod_version: {{show_os: false}}
"""

QUIET = "+sbwt none +sbwtdcpu none +sbwtdio none +S 2:2 +A 1"
"""Schedulers that sleep instead of spinning: the machine is shared with the tests."""

REGISTER = '[ejabberd_auth:try_register(U, <<"{domain}">>, <<"{password}">>) || U <- [{users}]], file:write_file("{ready}", "").'


class Ejabberd(XMPPServer):
    """ejabberd 23.01 as a plain Erlang process, with its own configuration, database and log."""

    name: ClassVar[str] = "ejabberd"
    program: ClassVar[str] = "ejabberdctl"
    one_connection_per_component: ClassVar[bool] = False
    any_component: ClassVar[bool] = True

    def command(self) -> list[str]:
        return self.command_for(DOMAIN, USERS)

    def command_for(self, domain: str, accounts: Sequence[str]) -> list[str]:
        """The command that also makes these accounts, unless they are there."""
        users = ", ".join(f'<<"{u}">>' for u in accounts)
        register = REGISTER.format(domain=domain, password=PASSWORD, users=users, ready=self._ready)
        return [
            shutil.which("erl") or "erl", *QUIET.split(), "-noinput",
            "-mnesia", "dir", f'"{self.folder}/spool"', "-s", "ejabberd", "-eval", register,
        ]  # fmt: skip

    def environment(self) -> Mapping[str, str]:
        ebin = next(Path("/usr/lib").glob("*/ejabberd-*/ebin"), None) or next(Path("/usr/lib").glob("ejabberd-*/ebin"))
        return {
            "ERL_LIBS": str(ebin.parent.parent),
            "EJABBERD_CONFIG_PATH": f"{self.folder}/ejabberd.yml",
            "EJABBERD_LOG_PATH": f"{self.folder}/ejabberd.log",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "HOME": str(self.folder),
        }

    @property
    def _ready(self) -> Path:
        return self.folder / "registered"

    def logs(self) -> list[Path]:
        return [self.output, self.folder / "ejabberd.log"]

    def configure(self) -> None:
        (self.folder / "spool").mkdir()
        text = CONFIG.format(
            loopback=LOOPBACK, c2s=self.c2s_port, component=self.component_port,
            domain=DOMAIN, conference=CONFERENCE,
            secret=SECRET,
        )  # fmt: skip
        (self.folder / "ejabberd.yml").write_text(text)

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        super().start()

    def ready(self) -> bool:
        return self._ready.exists() and super().ready()
