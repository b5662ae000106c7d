"""WSGI servers of Debian with the files of deploy/, each as a process of its own on loopback, without TLS."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import urllib3

from tests.live.child import LOOPBACK, Child, answers, free_port
from tests.live.gateway import PASSWORD, ROOT

DEPLOY = ROOT / "deploy"
LIBRARIES = next(Path(path) for path in sys.path if path.endswith("site-packages"))
OF_DEBIAN = sys.base_prefix == "/usr"
"""Whether the virtual environment is of Debian's Python, as it has to be. Tests are also run in one of another build of the same version."""
THREADS = 8
APACHE_MODULES = Path("/usr/lib/apache2/modules")


class Recipe(Child):
    """A gateway at `localhost` under another program, from a checkout whose parts are links to ours."""

    program: ClassVar[str]
    threads = THREADS
    settings: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        for name in ("app.py", "xmpp_rest", "drivers", "deploy"):
            (self.checkout / name).symlink_to(ROOT / name)
        (self.checkout / ".venv").symlink_to(sys.prefix)
        ini = configparser.ConfigParser(interpolation=None)
        ini.read_dict({"server": {"data_dir": str(folder / "data"), "threads": str(self.threads)}, "auth": {"admin_password": PASSWORD}})
        ini.read_dict(self.settings)
        with (self.checkout / "wsgi.ini").open("w") as file:
            ini.write(file)
        self.configure()

    def configure(self) -> None:
        """Write what the program reads."""

    def recipe(self, name: str) -> str:
        """A file of deploy/, for this checkout and port, and with fewer threads."""
        text = (DEPLOY / name).read_text().replace("/opt/xmpp-rest", str(self.checkout)).replace(f"{LOOPBACK}:8080", f"{LOOPBACK}:{self.port}")
        return re.sub("(threads ?= ?)64", rf"\g<1>{self.threads}", text)

    def environment(self) -> Mapping[str, str]:
        return {"HOME": str(self.folder), "XMPP_REST_CONFIG": str(self.checkout / "wsgi.ini")}

    def ready(self) -> bool:
        try:
            with urllib3.PoolManager(retries=False, timeout=5) as http:
                return answers(self.port) and http.request("GET", f"http://{LOOPBACK}:{self.port}/health").status == 200
        except urllib3.exceptions.HTTPError:
            return False


class Apache(Recipe):
    """Apache with mod_wsgi. As root it is run as a user of a name space of its own, since it does not serve as root."""

    program = "/usr/sbin/apache2"

    def configure(self) -> None:
        site = re.sub(r"^.*SSL.*\n", "", self.recipe("apache.conf"), flags=re.MULTILINE).replace("*:443", "*")
        site = site.replace("user=xmpp-rest group=xmpp-rest ", "")  # there is no such user here
        if not OF_DEBIAN:
            site = site.replace(f"python-home={self.checkout}/.venv", f"python-path={LIBRARIES}")
        modules = "".join(f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n" for name in ("mpm_event", "authz_core", "wsgi"))
        (self.folder / "apache.conf").write_text(
            f"ServerRoot {self.folder}\nServerName localhost\nPidFile {self.folder}/pid\nListen {LOOPBACK}:{self.port}\n{modules}"
            f"DefaultRuntimeDir {self.folder}\nWSGISocketPrefix {self.folder}/wsgi\nErrorLog {self.folder}/error.log\nLogLevel info\n{site}"
        )

    def command(self) -> list[str]:
        apart = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
        return [*apart, self.program, "-f", str(self.folder / "apache.conf"), "-D", "FOREGROUND"]

    def logs(self) -> list[Path]:
        return [self.output, self.folder / "error.log"]


class UWSGI(Recipe):
    """uWSGI with its Python plugin."""

    program = "uwsgi"

    def configure(self) -> None:
        text = self.recipe("uwsgi.ini")
        if not OF_DEBIAN:
            text = text.replace(f"virtualenv = {self.checkout}/.venv", f"pythonpath = {LIBRARIES}")
        (self.folder / "uwsgi.ini").write_text(text)

    def command(self) -> list[str]:
        return ["uwsgi", "--ini", str(self.folder / "uwsgi.ini")]


class Passenger(Recipe):
    """Passenger by itself, without nginx, as shared hosting has it: libraries in `vendor`, one thread in each process."""

    program = "passenger"
    threads = 2
    settings = {"streams": {"heartbeat": "1"}}  # a process serves nobody else until it has found that a reader is gone

    def configure(self) -> None:
        (self.checkout / "vendor").symlink_to(LIBRARIES)
        shutil.copy(DEPLOY / "passenger_wsgi.py", self.checkout)

    def command(self) -> list[str]:
        return [
            *("passenger", "start", str(self.checkout), "--engine", "builtin", "--address", LOOPBACK, "--port", str(self.port)),
            *("--app-type", "wsgi", "--startup-file", str(self.checkout / "passenger_wsgi.py"), "--python", "/usr/bin/python3", "--environment", "production"),
            *("--max-pool-size", "3", "--log-file", str(self.folder / "passenger.log"), "--pid-file", str(self.folder / "pid")),
            *("--instance-registry-dir", str(self.folder), "--no-install-runtime"),
        ]

    def logs(self) -> list[Path]:
        return [self.output, self.folder / "passenger.log"]


SERVERS: tuple[type[Recipe], ...] = (Apache, UWSGI, Passenger)
