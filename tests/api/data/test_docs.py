"""Is docs/data.md true? Every command on the page is run, and must print what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from tests.conftest import DOMAIN, MakeApp
from xmpp_rest.gateway import Gateway

PAGE = Path(__file__).parents[3] / "docs" / "data.md"
SHOWN = "http://127.0.0.1:8080"


@pytest.fixture
def url(make_app: MakeApp) -> Iterator[str]:
    app = make_app(auth_admin_password="r00tp4ssw0rd")
    gateway: Gateway = app.extensions["gateway"]
    gateway.accounts.register(gateway.accounts.address("juliet", DOMAIN), "R0m30-forever")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def examples() -> Iterator[tuple[str, str]]:
    """Commands and their output, in the order of the page."""
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            yield command, output


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_page(url: str, tmp_path: Path) -> None:
    run = 0
    for command, output in examples():
        done = subprocess.run(["sh", "-c", command.replace(SHOWN, url)], cwd=tmp_path, capture_output=True, text=True, timeout=30)
        printed = done.stdout.replace(url, SHOWN)
        assert printed.rstrip("\n") == output.rstrip("\n"), command
        run += 1
    assert run > 15
