"""However many processes start first on an empty folder, one makes the administrator, and the file holds the password that it has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import PASSWORD
from tests.serving.plain_workers import all_begun
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

ROOT = Path(__file__).parents[3]
ADMIN = parse_jid("admin@localhost")
PROCESSES = 6
WSGI = """
import os, sys
from app import create_app  # by one process for all, as that takes longer than what is tested

folder, count = sys.argv[1], int(sys.argv[2])
begin, end = os.pipe(), os.pipe()  # read from until nobody can write there any more: by all at once

def serve(number):
    os.dup2(os.open(f"{folder}/said{number}", os.O_WRONLY | os.O_CREAT, 0o600), 2)
    os.close(begin[1])
    os.close(end[1])
    os.read(begin[0], 1)
    app = create_app()
    status = app.test_client().get("/health").status_code
    os.write(1, b"started %d\\n" % status)  # in one piece, as others write there too
    os.read(end[0], 1)
    app.extensions["gateway"].stop()

children = []
for number in range(count):
    child = os.fork()
    if child == 0:
        serve(number)
        sys.exit()
    children.append(child)
print("loaded", flush=True)
for pipe in (begin, end):
    sys.stdin.readline()
    os.close(pipe[1])
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""
URLS = ["sqlite:gateway.sqlite", "flatfile:accounts", "jsonfile:accounts"]


def configuration(folder: Path, url: str = "sqlite:gateway.sqlite", more: str = "") -> Path:
    (folder / "wsgi.ini").write_text(f"[auth]\niterations = 4096\n{more}[storage]\nurl = {url}\n")
    return folder / "wsgi.ini"


def opened(config: Path) -> Gateway:
    gateway: Gateway = build(load_settings(config, {})).extensions["gateway"]
    return gateway


def passwords(config: Path) -> tuple[str, bool]:
    """What the file says, and whether that opens the account."""
    gateway = opened(config)
    try:
        told = (config.parent / "data" / "admin-password").read_text().strip()
        return told, gateway.parts.accounts.check_password(ADMIN, told)
    finally:
        gateway.stop()


def line(stream: IO[str] | None) -> str:
    assert stream
    return stream.readline()


def tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin
    child.stdin.write("\n")
    child.stdin.flush()


def start_at_once(config: Path) -> list[str]:
    """What plain WSGI processes say that all start now."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("XMPP_REST_")} | {"XMPP_REST_CONFIG": str(config)}
    command = [sys.executable, "-c", WSGI, str(config.parent), str(PROCESSES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ) as parent:
        try:
            assert line(parent.stdout) == "loaded\n"
            tell(parent)
            assert [line(parent.stdout) for _ in range(PROCESSES)] == ["started 200\n"] * PROCESSES
            tell(parent)
            assert parent.wait(60) == 0
        finally:
            parent.kill()  # then its children come to their end
    return [(config.parent / f"said{number}").read_text() for number in range(PROCESSES)]


def one_won(config: Path) -> None:
    said = start_at_once(config)
    told, right = passwords(config)
    assert right
    where = config.parent / "data" / "admin-password"
    lines = re.findall(r"warning xmpp_rest.auth (the administrator admin@localhost was created; .*)", "".join(said))
    assert lines == [f"the administrator admin@localhost was created; the password is in {where}"]
    assert told not in "".join(said), "it is printed to a terminal alone"
    assert [path.name for path in (config.parent / "data").glob("admin-password*")] == ["admin-password"]


@pytest.mark.parametrize("url", URLS)
def test_plain_wsgi_processes_on_an_empty_folder(tmp_path: Path, url: str) -> None:
    one_won(configuration(tmp_path, url))


@pytest.mark.parametrize("url", URLS)
def test_workers_of_gunicorn_on_an_empty_folder(tmp_path: Path, url: str) -> None:
    config = configuration(tmp_path, url)
    command = [sys.executable, "-m", "gunicorn", "-w", "4", "--threads", "4", "--no-control-socket", "-b", "127.0.0.1:0", "app:create_app()"]
    environ = os.environ | {"XMPP_REST_CONFIG": str(config), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as server:
        try:
            owned = next(text for text in iter(server.stderr.readline, "") if "holds the link" in text) if server.stderr else ""
            assert owned
            assert passwords(config)[1]
            all_begun(server.pid, 4)
            server.terminate()
            server.communicate(timeout=60)
        finally:
            server.kill()


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A folder that a process has left between the account and the file's name."""
    config = configuration(tmp_path)
    gateway = opened(config)
    gateway.parts.accounts.register(ADMIN, PASSWORD)
    gateway.stop()
    return config


def test_a_process_that_died_in_between(crashed: Path) -> None:
    (crashed.parent / "data" / "admin-password.new").write_text(f"{PASSWORD}\n")
    gateway = opened(crashed)
    gateway.prepare()
    gateway.stop()
    assert passwords(crashed) == (PASSWORD, True)
    assert not (crashed.parent / "data" / "admin-password.new").exists()


def test_a_process_that_died_before(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "admin-password.new").write_text("an unused one that is longer than any other\n")
    gateway = opened(config)
    gateway.prepare()
    gateway.stop()
    told, right = passwords(config)
    assert (told != "an unused one that is longer than any other", right) == (True, True)


def test_a_file_of_another_storage(tmp_path: Path) -> None:
    """With a password of one's own choice no file is left that names another one; a file that is the password's own source stays."""
    config = configuration(tmp_path, more=f"admin_password = {PASSWORD}\n")
    (tmp_path / "data").mkdir(mode=0o700)
    kept = tmp_path / "data" / "admin-password"
    kept.write_text("of another storage\n")
    gateway = opened(config)
    gateway.prepare()
    assert not kept.exists()
    gateway.parts.accounts.unregister(ADMIN)
    kept.write_text(f"{PASSWORD}\n")
    gateway.prepare()
    assert gateway.parts.accounts.check_password(ADMIN, PASSWORD)
    assert kept.exists()
    gateway.stop()
