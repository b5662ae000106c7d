"""A client written for ejabberd works unchanged: PyPI's xmpp-backends, over HTTP and over the command line."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server
from xmpp_backends.base import BackendError, UserExists, UserNotFound
from xmpp_backends.ejabberd_rest import EjabberdRestBackend
from xmpp_backends.ejabberdctl import EjabberdctlBackend

from tests.conftest import DOMAIN, PASSWORD, basic
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway

pytestmark = [pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A gateway on a free port; version 0, which these clients were written for."""
    config = tmp_path / "wsgi.ini"
    config.write_text(
        f"[gateway]\ndomain = {DOMAIN}\n[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n[commands]\ndefault_version = 0\n"
    )
    app = build(load_settings(config, {}))
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    gateway.stop()


@pytest.fixture(params=["rest", "ctl"])
def backend(request: pytest.FixtureRequest, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "rest":
        return EjabberdRestBackend(f"{url}/api/", f"admin@{DOMAIN}", PASSWORD)
    monkeypatch.setenv("XMPP_REST_CONFIG", str(tmp_path / "wsgi.ini"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return EjabberdctlBackend([sys.executable, "-m", "xmpp_rest.cli"])


@pytest.mark.timeout(400)  # a process for each of some hundred calls
def test_all_calls(backend: Any, url: str) -> None:
    assert backend.api_version == (26, 7)
    assert not backend.user_exists("romeo", DOMAIN)
    backend.create_user("romeo", DOMAIN, "pw", email="romeo@montague.example")
    with pytest.raises(UserExists):
        backend.create_user("romeo", DOMAIN, "pw")
    assert backend.user_exists("romeo", DOMAIN)
    assert backend.check_password("romeo", DOMAIN, "pw")
    assert not backend.check_password("romeo", DOMAIN, "wrong")
    backend.set_password("romeo", DOMAIN, "pw2")
    assert backend.check_password("romeo", DOMAIN, "pw2")
    with pytest.raises(UserNotFound):
        backend.set_password("nobody", DOMAIN, "x")
    activities(backend)
    sessions(backend, url)
    backend.message_user("romeo", DOMAIN, "Subject", "Text")
    assert set(backend.all_domains()) == {DOMAIN}
    assert backend.all_users(DOMAIN) == {"admin", "romeo"}
    assert backend.stats("registered_users") == backend.stats("registered_users", DOMAIN) == 2
    assert backend.stats("online_users") == 0
    backend.block_user("romeo", DOMAIN)
    assert not backend.check_password("romeo", DOMAIN, "pw2")
    backend.remove_user("romeo", DOMAIN)
    assert not backend.user_exists("romeo", DOMAIN)


def activities(backend: Any) -> None:
    when = datetime(2017, 8, 5, 12)
    backend.set_last_activity("romeo", DOMAIN, "away", when)
    assert backend.get_last_activity("romeo", DOMAIN) == when
    with pytest.raises(UserNotFound):
        backend.get_last_activity("nobody", DOMAIN)


def sessions(backend: Any, url: str) -> None:
    for sender in (f"romeo@{DOMAIN}", f"romeo@{DOMAIN}/orchard"):
        presence: dict[str, Any] = {"kind": "presence", "from": sender, "show": "dnd", "status": "busy", "priority": 4}
        assert requests.post(f"{url}/rest", json=presence, headers=basic("romeo", "pw2"), timeout=30).status_code == 202
    found = {s.resource: s for s in backend.user_sessions("romeo", DOMAIN)}
    assert {s.resource for s in backend.all_user_sessions()} == set(found) == {"rest", "orchard"}
    assert (found["orchard"].priority, found["orchard"].status, found["orchard"].status_text) == (4, "dnd", "busy")
    for resource in found:
        backend.stop_user_session("romeo", DOMAIN, resource, "enough")
    assert backend.user_sessions("romeo", DOMAIN) == set()


def test_who_may_not(url: str) -> None:
    with pytest.raises(BackendError, match="HTTP 401"):
        EjabberdRestBackend(f"{url}/api/", f"admin@{DOMAIN}", "wrong").all_domains()
    with pytest.raises(BackendError, match="HTTP 403"):
        EjabberdRestBackend(f"{url}/api/").all_domains()
