"""A PostgreSQL of the tests' own: a fresh cluster in a temporary folder, reached by a Unix socket only."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

TIMEOUT = 30.0


def program(name: str) -> str | None:
    """Path of a program of the server; Debian keeps them off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(debian[-1]) if debian else shutil.which(name)


class Cluster:
    """Started by `start`, ended by `stop`. The server refuses to run as root, and runs as `postgres` then."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="xmpp-rest-pg-"))
        self.user = "postgres" if os.getuid() == 0 else None
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def start(self, *settings: str) -> None:
        data = self.folder / "data"
        if not data.exists():
            if self.user:
                shutil.chown(self.folder, self.user)
            self._run(program("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-N")
        # autovacuum looks at each database once a minute by a process of its own, and a test has one: 100 s of processor time for 1,000 tests
        options = [
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            "fsync=off",
            "autovacuum=off",
            "max_connections=200",
            *settings,
        ]
        command = [program("postgres") or "", "-D", str(data), *itertools.chain(*(("-c", option) for option in options))]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self.as_user())
        self._wait()

    def follow(self, primary: Cluster) -> None:
        """Become a copy of another cluster that runs, which follows it once started."""
        if self.user:
            shutil.chown(self.folder, self.user)
        where = ("-h", primary.folder, "-U", "postgres", "-D", self.folder / "data")
        self._run(program("pg_basebackup"), *where, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")

    def as_user(self) -> dict[str, Any]:
        return {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}

    def _run(self, *command: object) -> None:
        subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60, cwd=self.folder, **self.as_user())

    def _wait(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while (code := subprocess.run([program("pg_isready") or "", "-h", self.folder], capture_output=True).returncode) != 0:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, f"pg_isready says {code}"
            time.sleep(0.05)

    def backends(self) -> list[int]:
        """The processes that serve connections."""
        import psycopg

        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            sql = "SELECT pid FROM pg_stat_activity WHERE backend_type='client backend' AND pid<>pg_backend_pid()"
            return [pid for (pid,) in connection.execute(sql).fetchall()]

    def conninfo(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"

    def new_database(self, options: str = "") -> str:
        """URL of an empty database, made with these options."""
        import psycopg

        name = f"test{next(self._numbers)}"
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" {options}'.encode())
        return f"postgresql://postgres@/{name}?host={self.folder}"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / ".s.PGSQL.5432"

    def promote(self) -> None:
        """Make a primary of what follows one. Returns once it takes writes."""
        self._run(program("pg_ctl"), "promote", "-D", self.folder / "data")

    def halt(self, sign: signal.Signals = signal.SIGQUIT) -> None:
        """End the server, as a power cut would end its connections; with SIGINT as an administrator does who restarts it ("fast")."""
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(TIMEOUT)
            self.process = None

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder)
