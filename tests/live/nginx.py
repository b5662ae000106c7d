"""Debian's nginx with the file that comes with the gateway."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .child import LOOPBACK, Child, answers, free_port
from .gateway import ROOT

SITE = ROOT / "deploy" / "nginx.conf"


class Nginx(Child):
    """Debian's nginx with deploy/nginx.conf, on loopback and without TLS."""

    def __init__(self, folder: Path, backend: int) -> None:
        super().__init__(folder)
        self.port = free_port()
        site = SITE.read_text()
        site = re.sub(r"^.*ssl_certificate.*\n", "", site, flags=re.MULTILINE)
        site = site.replace("listen 443 ssl", f"listen {LOOPBACK}:{self.port}").replace("127.0.0.1:8080", f"{LOOPBACK}:{backend}")
        site = site.replace("/var/log/nginx", str(folder))
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"pid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}\n}}\n"
        )

    def command(self) -> list[str]:
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-g", "daemon off; master_process off;"]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": f"{os.environ['PATH']}:/usr/sbin"}

    def ready(self) -> bool:
        return answers(self.port)
