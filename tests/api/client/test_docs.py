"""Are the pages of the client API true? Every command on them is run, and must print what the page says, but for ids and times."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {"client.md": 7, "client-rooms-contacts.md": 16}  # how many commands there are
SHOWN = "http://127.0.0.1:8080"
FRESH = re.compile(r"\"id\":\"[\w-]{24,36}\"|\"timestamp\":\d{13,16}|id='[\w-]{36}'")


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def examples(page: str) -> Iterator[tuple[str, str]]:
    """Commands and their output, in the order of the page."""
    for block in re.findall(r"^```console\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            yield command, output


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize(("page", "commands"), PAGES.items())
def test_a_page(url: str, page: str, commands: int) -> None:
    variables: dict[str, str] = {}
    run = 0
    for command, output in examples(page):
        if assigned := re.fullmatch(r"([A-Z]+)=(\S+)", command):
            variables[assigned[1]] = assigned[2].replace(SHOWN, url)
            continue
        done = subprocess.run(["sh", "-c", command], env=os.environ | variables, capture_output=True, text=True, timeout=30)
        assert FRESH.sub("", done.stdout.rstrip("\n")) == FRESH.sub("", output.rstrip("\n")), command
        run += 1
    assert run == commands
