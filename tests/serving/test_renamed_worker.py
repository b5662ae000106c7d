"""A configuration that names the worker class by its old name is understood, and the log names the new one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.live.gateway import Gateway
from xmpp_rest.config.load import load_settings

OLD, NEW = "xmpp_rest.http.worker.Worker", "xmpp_rest.serving.worker.Worker"


def test_earlier_worker_class_serves(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, 5347, {"server": {"worker_class": OLD, "workers": 1}, "link": {"kind": "none"}})
    gateway.start()
    try:
        assert gateway.http.request("GET", "/health").status == 200
        command = [*gateway.command()[:2], "check", *gateway.command()[2:]]
        checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    finally:
        gateway.stop()
    notice = f"{tmp_path}/wsgi.ini: [server] worker_class: {OLD} is now {NEW}"
    log = gateway.output.read_text()
    assert log.count(notice) == 1
    assert f"Using worker: {NEW}" in log
    assert f"remark: {notice}" in checked.stderr


@pytest.mark.parametrize(("written", "notices"), [(OLD, 1), (NEW, 0), ("gthread", 0)])
def test_worker_class_in_the_environment(written: str, notices: int) -> None:
    settings = load_settings(None, {"XMPP_REST_SERVER_WORKER_CLASS": written})
    assert settings.server.worker_class == (NEW if written == OLD else written)
    assert len(settings.notices) == notices
    assert all(notice.startswith(f"XMPP_REST_SERVER_WORKER_CLASS: {OLD} is now {NEW}") for notice in settings.notices)
