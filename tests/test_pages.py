"""Every command on the pages is run as it is written, top to bottom, against a fresh gateway, and must print what the page says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.child import free_port

ROOT = Path(__file__).parent.parent
PAGES = {  # how many commands there are at least
    "README.md": 3,
    "docs/tutorial.md": 7,
    "docs/how-to/bot.md": 2,
    "docs/how-to/alerts-to-a-room.md": 7,
    "docs/how-to/from-ejabberd.md": 4,
    "docs/client.md": 9,
    "docs/client-rooms-contacts.md": 18,
    "docs/rest.md": 10,
    "docs/rooms.md": 5,
    "docs/files.md": 4,
    "docs/scheduled.md": 3,
    "docs/data.md": 17,
    "docs/commands.md": 3,
    "docs/command-line.md": 11,
    "docs/hooks.md": 7,
    "docs/running.md": 1,
    "docs/console.md": 2,
}
SHOWN = "127.0.0.1:8080"
VARYING = [  # what differs from run to run
    (r'"id":"[\w-]{24,36}"', '"id":ID'),
    (r"\"timestamp\":\d{13,16}", '"timestamp":TIME'),
    (r"id='[\w-]{36}'", "id=ID"),
    (r"^id: [\w-]+$", "id: ID"),
    (r"Stanza-Id: [\w-]{24}", "Stanza-Id: ID"),
    (r'"(since|given_up)":"[^"]+"', "TIME"),
    (r'"request_id":"[0-9a-f]{32}"', "REQUEST"),
    (r"msg_[\w-]+", "MSG"),
    (r"^[A-Za-z0-9]{32}$", "TOKEN"),
    (r'"version":"[\d.]+"', "VERSION"),
    (r'"(waiting|retrying)":\d', "QUEUED"),
    (r"\n\s+", ""),
]
ASSIGNMENT = re.compile(r"([A-Za-z_]+)=(.*)")


def plain(text: str, port: int) -> str:
    """A text without what differs from run to run, and without line breaks that only fold it."""
    text = text.replace("\r\n", "\n").replace(f"127.0.0.1:{port}", SHOWN)
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text.strip()


def fits(printed: str, shown: str) -> bool:
    """Whether it is the same; `…` in what is shown stands for anything."""
    return bool(re.fullmatch(".*?".join(map(re.escape, re.split(r"\s*…\s*", shown))), printed, re.DOTALL))


def examples(page: Path) -> Iterator[tuple[str, str]]:
    """Commands and their output, in the order of the page."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.replace("\\\n", "").partition("\n")
            yield command, output


@contextmanager
def serving(folder: Path, more: str) -> Iterator[int]:
    """A fresh gateway as `make run` starts it, but for its port; where it listens."""
    port = free_port()
    (folder / "wsgi.ini").write_text(f"[server]\nbind = 127.0.0.1:{port}\n{more}")
    environ = {k: v for k, v in os.environ.items() if not k.startswith("XMPP_REST_")}
    command = [sys.executable, str(ROOT / "app.py"), "--config", str(folder / "wsgi.ini")]
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, env=environ, stderr=log) as server:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    assert server.poll() is None, (folder / "log").read_text()
                    assert time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.05)
            yield port
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def bot(folder: Path, page: str, port: int) -> Iterator[None]:
    """The program that the page has for its callback, at `port`; nothing, if it has none that listens."""
    found = re.search(r"^```python\n(.*?app\.run\(.*?)^```", page, re.DOTALL | re.MULTILINE)
    if not found:
        yield
        return
    (folder / "bot.py").write_text(found[1].replace("port=5000", f"port={port}"))
    with (folder / "bot.log").open("w") as log, subprocess.Popen([sys.executable, "bot.py"], cwd=folder, stdout=log, stderr=log) as running:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                    break
                except OSError:
                    assert running.poll() is None, (folder / "bot.log").read_text()
                    assert time.monotonic() < deadline, (folder / "bot.log").read_text()
                    time.sleep(0.05)
            yield
        finally:
            running.terminate()
            running.wait(30)


RUN_WITH_A_LINK = {"rooms.md": "-d 'Hark'"}  # page → the end of the line that tests/live/test_rooms_speaking.py runs


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize(("name", "least"), PAGES.items())
@pytest.mark.timeout(400)  # up to twenty commands, each a new Python process
def test_a_page(tmp_path: Path, name: str, least: int) -> None:
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    callback = re.search(r"^\[callback\.bot\]\n(?:\w.*\n)+", text, re.MULTILINE)
    bot_port = free_port()
    settings = callback[0].replace("127.0.0.1:5000", f"127.0.0.1:{bot_port}") if callback and name != "README.md" else ""
    with bot(tmp_path, text, bot_port), serving(tmp_path, settings) as port:
        environ = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "XMPP_REST_CONFIG": str(tmp_path / "wsgi.ini")}
        run = 0
        for command, output in examples(page):
            assigned = ASSIGNMENT.fullmatch(command)
            line = f"printf %s {assigned[2]}" if assigned else command
            deadline = time.monotonic() + 30
            while True:
                done = subprocess.run(["sh", "-c", line.replace(SHOWN, f"127.0.0.1:{port}")], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
                # callbacks are tried after the answer: what only reads their state is asked again until they have been
                if assigned or "/rest/callbacks" not in line or "POST" in line or time.monotonic() > deadline:
                    break
                if fits(plain(done.stdout, port), plain(output, port)):
                    break
            if assigned:
                environ[assigned[1]] = done.stdout
                continue
            assert fits(plain(done.stdout, port), plain(output, port)), (command, done.stdout, done.stderr)
            run += 1
    assert run >= least


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/how-to").glob("*.md"))], ids=lambda page: page.name)
def test_no_command_is_shown_that_is_not_run(page: Path) -> None:
    """A command line of curl, xmpp-restctl or `xmpp-rest send` stands in a block that is run; for the accounts that it names there is a command."""
    text = page.read_text(encoding="utf-8")
    unrun = re.sub(r"^```console\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\$ .*(?:curl|xmpp-restctl|xmpp-rest send).*$", unrun, re.MULTILINE)
    assert [line for line in lines if not line.endswith(RUN_WITH_A_LINK.get(page.name, "\n"))] == []
    assert "```console" not in text or str(page.relative_to(ROOT)) in PAGES
