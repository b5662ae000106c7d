"""Servers with accounts that have stored something, which write it as XEP-0227; and that read what the gateway has written."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from .child import LOOPBACK
from .ejabberd import QUIET, Ejabberd
from .xmppserver import DOMAIN

CONFIG = """
hosts: ["{domain}"]
loglevel: info
listen:
  - port: {c2s}
    ip: "{loopback}"
    module: ejabberd_c2s
  - port: {component}
    ip: "{loopback}"
    module: ejabberd_service
auth_method: internal
auth_password_format: {format}
auth_scram_hash: {hash}
s2s_access: none
modules:
  mod_admin_extra: {{}}
  mod_last: {{}}
  mod_offline: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_roster: {{}}
  mod_vcard: {{search: false}}
"""


class ExportingEjabberd(Ejabberd):
    """ejabberd that runs some Erlang once it has started, and answers with a file."""

    def __init__(self, folder: Path, erlang: str, *, password_format: str = "scram", scram_hash: str = "sha") -> None:
        super().__init__(folder)
        self._erlang = erlang
        self._format, self._hash = password_format, scram_hash

    def configure(self) -> None:
        (self.folder / "spool").mkdir()
        text = CONFIG.format(
            domain=DOMAIN, c2s=self.c2s_port, component=self.component_port, loopback=LOOPBACK, format=self._format, hash=self._hash
        )
        (self.folder / "ejabberd.yml").write_text(text)

    def command(self) -> list[str]:
        done = f'file:write_file("{self.answer}", io_lib:format("~p", [catch (begin {self._erlang} end)])), file:rename("{self.answer}", "{self._ready}").'
        return ["erl", *QUIET.split(), "-noinput", "-mnesia", "dir", f'"{self.folder}/spool"', "-s", "ejabberd", "-eval", done]

    @property
    def answer(self) -> Path:
        return self.folder / "answer"

    @property
    def said(self) -> str:
        """What the Erlang has returned."""
        return self._ready.read_text()


def text(value: str) -> str:
    """An Erlang binary."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'<<"{escaped}"/utf8>>'


MIGRATION = """
input {{
    hosts = {{ ["{domain}"] = {{
        "accounts", "roster", "private", "archive-archive", "pep-pubsub", "vcard", -- not more: mod_storage_xep0227 has no other stores
    }} }};
    type = "{source[0]}"; path = "{source[1]}";
}}
output {{ type = "{target[0]}"; path = "{target[1]}" }}
"""


def migrate_in_prosody(folder: Path, source: tuple[str, Path], target: tuple[str, Path]) -> str:
    """Run prosody-migrator from one storage to another, each of a kind and a folder; what it said.

    One of them is of the kind xep0227, and has a file of each account. Its folder has to be Prosody's own, whose name is in the program.
    """
    data = next(path for kind, path in (source, target) if kind == "xep0227")
    program = folder / "prosody-migrator"
    code = Path(shutil.which("prosody-migrator") or "").read_text()
    code = code.replace('options["keep-going"]', "true")  # 13 stores the option under another name; the host itself has no file
    program.write_text(re.sub("CFG_DATADIR='[^']*'", f"CFG_DATADIR='{data}'", code))
    config = folder / "migrator.cfg.lua"
    config.write_text(MIGRATION.format(domain=DOMAIN, source=source, target=target))
    interpreter = program.read_text().partition("\n")[0].removeprefix("#!").split()
    words = [*interpreter, str(program), "--root", "--config", str(config)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return ran.stdout + ran.stderr
