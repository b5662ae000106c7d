"""Without greenlet, httptools or epoll the gateway serves by gunicorn's threads."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.live.gateway import ROOT, Gateway
from tests.live.xmppserver import GATEWAY
from xmpp_rest.config import worker_class
from xmpp_rest.config.worker_class import OWN, lacking, usable

WITHOUT = "import sys\nfor name in {names}: sys.modules[name] = None\n"
"""What Python runs first: importing these fails."""


class Without(Gateway):
    """A gateway whose Python lacks these packages."""

    def __init__(self, folder: Path, *names: str) -> None:
        super().__init__(folder, 1, {"server": {"threads": 8}, "link": {"kind": "none"}})
        (folder / "sitecustomize.py").write_text(WITHOUT.format(names=names))

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self.folder)}

    def check(self) -> str:
        command = [*self.command()[:2], "check", *self.command()[2:]]
        environment = {**os.environ, **self.environment()}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return ran.stdout


@pytest.fixture(params=[("greenlet",), ("greenlet", "httptools"), ("httptools",)], ids="-".join)
def without(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Gateway, set[str]]]:
    gateway = Without(tmp_path, *request.param)
    assert ("gthread, as the package greenlet is not installed" in gateway.check()) == ("greenlet" in request.param)
    gateway.start()
    yield gateway, set(request.param)
    gateway.stop()


def test_gateway_without_packages(without: tuple[Gateway, set[str]]) -> None:
    gateway, missing = without
    assert gateway.http.request("GET", "/health").status == 200
    gateway.send(f"<message to='admin@{GATEWAY}' type='chat'><body>one</body></message>", "admin")
    assert gateway.post_xml(f"<iq to='{GATEWAY}' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "admin").status == 200
    log = gateway.output.read_text()
    assert ("Using worker: gthread" in log) == ("greenlet" in missing)
    assert (f"gthread serves instead of {OWN}, as the package greenlet is not installed" in log) == ("greenlet" in missing)
    assert ("requests are parsed in Python" in log) == (missing == {"httptools"})
    assert "Traceback" not in log


def test_system_without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking() == ""
    assert usable(OWN) == OWN
    monkeypatch.delattr(select, "epoll")
    assert lacking() == "this system has no epoll and eventfd"
    assert usable(OWN) == worker_class.INSTEAD
    assert usable("gevent") == "gevent"


def test_own_worker_without_greenlet_says_so(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format(names=("greenlet",)))
    command = [sys.executable, "-m", "gunicorn", "-k", OWN, "-b", "127.0.0.1:0", "app:create_app()"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0
    assert "cannot serve, as the package greenlet is not installed; use gthread" in ran.stderr


def test_the_requirements_that_must_be_there_have_no_compiled_ones_of_the_server() -> None:
    assert not {"greenlet", "httptools"} & {line.split("=")[0].split(">")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    assert {"greenlet", "httptools"} <= {line.split("=")[0].split(">")[0] for line in (ROOT / "requirements-fast.txt").read_text().splitlines()}
