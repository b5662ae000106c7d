"""Each process of a node has a run of its own, though all are forked off from the one that has built the gateway (many-machines §2)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import DOMAIN, PASSWORD
from tests.drivers.postgrescluster import Cluster
from tests.live.gateway import ROOT

FORKING = """
import os
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings

gateway = build(load_settings(None, os.environ)).extensions["gateway"]
for _ in range(2):
    child = os.fork()
    if not child:
        gateway.start()
        print(gateway.parts.joined.cluster.keeper.identity.run, gateway.parts.remote.group.is_leader, flush=True)
        gateway.stop()
        os._exit(0)
    os.waitpid(child, 0)
before = gateway.parts
gateway.start()
print(gateway.parts.joined.cluster.keeper.identity.run, gateway.parts is before, flush=True)
gateway.stop()
"""


def test_processes_that_are_forked_off_have_runs_of_their_own(cluster: Cluster, tmp_path: Path) -> None:
    settings = {
        "GATEWAY_DOMAIN": DOMAIN,
        "AUTH_ADMIN_PASSWORD": PASSWORD,
        "AUTH_ITERATIONS": "4096",
        "SERVER_DATA_DIR": str(tmp_path),
        "STORAGE_URL": cluster.new_database(),
        "FILES_DOMAIN": "",
        "CLUSTER_KIND": "postgresql",
        "CLUSTER_COPIES": "1",
    }
    environ = os.environ | {f"XMPP_REST_{name}": value for name, value in settings.items()}
    done = subprocess.run([sys.executable, "-c", FORKING], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    runs, truths = zip(*(line.split() for line in done.stdout.splitlines()), strict=True)
    assert len(set(runs)) == 3
    assert truths == ("True", "True", "True")
