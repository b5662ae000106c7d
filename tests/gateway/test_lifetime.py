"""The lifetime of a gateway: a stop is the end, whatever else happens at that moment."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from drivers import StorageError
from tests.conftest import DOMAIN, PASSWORD
from tests.link.attached import until
from tests.raising import raising
from xmpp_rest.config.load import load_settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway

ROOT = Path(__file__).parent.parent.parent


def test_a_stopped_gateway_does_not_start_again(gateway: Gateway) -> None:
    """A request that comes late would take the lead and the link, with a storage that is closed."""
    gateway.start()
    assert gateway.parts.remote.group.is_leader
    gateway.stop()
    with pytest.raises(GatewayError, match="is being stopped"):
        gateway.start()
    assert not gateway.parts.remote.group.is_leader


def test_a_stop_during_a_start_stops_what_was_started(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    claiming, go_on, claim = threading.Event(), threading.Event(), gateway.parts.lease.claim

    def slowly() -> None:
        claiming.set()
        assert go_on.wait(30)
        claim()

    monkeypatch.setattr(gateway.parts.lease, "claim", slowly)
    starting = threading.Thread(target=gateway.start)
    starting.start()
    assert claiming.wait(30)
    stopping = threading.Thread(target=gateway.stop)
    stopping.start()
    go_on.set()
    for thread in (starting, stopping):
        thread.join(30)
        assert not thread.is_alive()
    assert not gateway.parts.remote.group.is_leader
    with pytest.raises(GatewayError, match="is being stopped"):
        gateway.start()


def test_nothing_keeps_a_gateway_that_has_ended(tmp_path: Path) -> None:
    """A process that builds several would keep their files open. A thread that has done its work may be on its way out."""
    environ = {"XMPP_REST_SERVER_DATA_DIR": str(tmp_path / "data")}
    gateway = Gateway(load_settings(None, environ))
    gateway.start()
    gateway.stop()
    kept = weakref.ref(gateway)
    del gateway

    def is_gone() -> bool:
        gc.collect()
        return kept() is None

    until(is_gone, 10)


FORKING = """
import os
from tests.conftest import DOMAIN, PASSWORD, basic
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings

app = build(load_settings(None, os.environ))
gateway = app.extensions["gateway"]
for user in ("juliet", "nurse"):
    gateway.parts.accounts.register(gateway.parts.accounts.address(user, DOMAIN), PASSWORD)
gateway.start()
before = gateway.parts
child = os.fork()
if not child:
    message = {"kind": "message", "type": "chat", "to": f"nurse@{DOMAIN}", "body": "hi"}
    answer = app.test_client().post("/rest", json=message, headers=basic("juliet"))
    leads = gateway.parts.remote.group.is_leader
    gateway.stop()
    print(answer.status_code, gateway.parts is not before, leads, flush=True)
    os._exit(0)
os.waitpid(child, 0)
nurse = gateway.parts.accounts.address("nurse", DOMAIN)
print(gateway.parts.offline.count(nurse), gateway.parts is before, gateway.parts.remote.group.is_leader)
gateway.stop()
"""


def test_a_process_forked_off_after_the_start_serves(tmp_path: Path) -> None:
    """As below `gunicorn --preload`: it has parts of its own, and follows the process that it was forked from."""
    settings = {"GATEWAY_DOMAIN": DOMAIN, "AUTH_ADMIN_PASSWORD": PASSWORD, "AUTH_ITERATIONS": "4096", "SERVER_DATA_DIR": str(tmp_path)}
    environ = os.environ | {f"XMPP_REST_{name}": value for name, value in settings.items()}
    done = subprocess.run([sys.executable, "-c", FORKING], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("202 True False\n1 True True\n", 0), done.stderr


def test_a_forked_process_that_cannot_start_is_built_once(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.gateway.gateway.RETRY", 0)
    monkeypatch.setattr(Gateway, "prepare", raising(StorageError("the database is down")))
    before, gateway._forked_from = gateway.parts, os.getppid()
    tried = []
    for _ in range(3):
        with pytest.raises(StorageError):
            gateway.start()
        tried.append(gateway.parts)
    assert tried[0] is not before
    assert all(parts is tried[0] for parts in tried)
