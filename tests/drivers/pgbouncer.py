"""A PgBouncer of the tests' own, in transaction mode, in front of a cluster; reached by a Unix socket only."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from tests.drivers.postgrescluster import Cluster

PORT = 6543  # names the socket
CONFIGURATION = """
[databases]
* = host={cluster} user=postgres pool_size=2
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
max_client_conn = 200
logfile = {folder}/pgbouncer.log
"""


class PgBouncer:
    """Started by `start`, ended by `stop`. It refuses to run as root, and runs as the cluster's user."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._folder = cluster.folder / "pgbouncer"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._folder.mkdir()
        configuration = self._folder / "pgbouncer.ini"
        configuration.write_text(CONFIGURATION.format(cluster=self._cluster.folder, port=PORT, folder=self._folder))
        if self._cluster.user:
            shutil.chown(self._folder, self._cluster.user)
        command = [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", str(configuration)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=self._folder, **self._cluster.as_user())
        socket = Path(self._folder / f".s.PGSQL.{PORT}")
        deadline = time.monotonic() + 30
        while not socket.exists():
            assert self._process.poll() is None, (self._folder / "pgbouncer.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def url(self, direct: str) -> str:
        """The URL of the same database by way of this pooler."""
        database = direct.partition("@/")[2].partition("?")[0]
        return f"postgresql://postgres@/{database}?host={quote(str(self._folder))}&port={PORT}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            shutil.rmtree(self._folder)
