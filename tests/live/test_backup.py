"""Backups of a gateway under load: nothing that was accepted before the call is missing from what it kept."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
import urllib3

from drivers import open_driver
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.backup import Backup
from xmpp_rest.gateway.restore import to_folder
from xmpp_rest.link.journal import Journal

from .child import free_port
from .conftest import ONE_STREAM
from .gateway import PASSWORD, Gateway
from .prosody import Prosody
from .xmppserver import DOMAIN, GATEWAY

BACKUPS = 10
ROUND = 0.3  # seconds between two backups
TO = {"hosted": f"juliet@{GATEWAY}", "foreign": f"nobody@{DOMAIN}", "bot": f"bot@{GATEWAY}"}


class Acknowledged(NamedTuple):
    """An item that was answered with success, and when (monotonic time)."""

    kind: str
    id: str
    at: float


class Writers:
    """Threads that write without a pause, and remember what was acknowledged."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._stopping = threading.Event()
        self._numbers = itertools.count()
        self.acknowledged: list[Acknowledged] = []
        self.problems: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(kind,)) for kind in (*TO, "data", "list")]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, kind: str) -> None:
        while not self._stopping.is_set():
            identifier = f"{kind}{next(self._numbers)}"
            try:
                answer = self._write(kind, identifier)
            except urllib3.exceptions.HTTPError as e:
                self.problems.append(repr(e))
                continue
            if answer.status < 300:
                self.acknowledged.append(Acknowledged(kind, identifier, time.monotonic()))
            else:
                self.problems.append(f"{kind}: {answer.status} {answer.data!r}")

    def _write(self, kind: str, identifier: str) -> urllib3.BaseHTTPResponse:
        if kind == "data":
            return self._gateway.request(
                "PUT", "/data/settings", json.dumps({"n": int(identifier.removeprefix(kind))}), "application/json", "romeo"
            )
        if kind == "list":
            return self._gateway.request("POST", "/data/events", json.dumps(identifier), "application/json", "romeo")
        return self._gateway.post_xml(f"<message to='{TO[kind]}' type='chat' id='{identifier}'><body>x</body></message>", "romeo")


def restctl(*words: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "xmpp_rest", *words], capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2]
    )
    assert ran.returncode == 0, ran.stderr


def found(folder: Path, url: str) -> dict[str, set[str]]:
    """What a restored gateway has of each kind: what is in the storage, and what the journals would bring there, or send."""
    with closing(open_driver(url, folder / "data")) as driver:
        stanzas = [item.stanza for user in ("romeo", "juliet") for item in driver.archive_find(user, GATEWAY, "archive")]
        table = driver.load("romeo", GATEWAY, "settings")
        tables = {f"data{n}" for n in range(int(table["n"]) + 1)} if isinstance(table, dict) else set()  # it was replaced again and again
        events = set(driver.list_load("romeo", GATEWAY, "events") or ())
    ids = {
        stanza.partition("id='")[2].partition("'")[0] if "id='" in stanza else stanza.partition('id="')[2].partition('"')[0]
        for stanza in stanzas
    }
    waiting, bot = texts(folder / f"data/outbox/{GATEWAY}.journal"), texts(folder / "data/callbacks/bot.journal")
    kept = {kind: {identifier for identifier in ids if identifier.startswith(kind)} for kind in TO}
    kept["foreign"] |= {text.partition("id='")[2].partition("'")[0] for text in waiting}
    return kept | {"data": tables, "list": events, "delivery": set(bot)}


def texts(journal: Path) -> list[str]:
    if not journal.exists():
        return []
    with closing(Journal(journal)) as opened:
        return [*(text for _, text in opened.unacknowledged()), *(entry.text for entry in opened.noted())]


@pytest.fixture(params=["sqlite:gateway.sqlite", "flatfile:kept", "jsonfile:kept"])
def url(request: pytest.FixtureRequest) -> str:
    storage: str = request.param
    return storage


@pytest.fixture
def loaded(start_gateway: Callable[..., Gateway], prosody_alone: Prosody, url: str) -> Gateway:
    """A gateway of two processes, with accounts, and a bot whose URL nobody serves, so that its deliveries wait in a journal."""
    bot = {
        "url": f"http://127.0.0.1:{free_port()}/",
        "address": TO["bot"],
        "retries": 100,
        "retry_max": 600,
        "queue_size": 1_000_000,
        "queue_share": 100,
    }
    sections = {
        "server": {"workers": 2},
        "storage": {"url": url},
        "callback.bot": bot,
        "auth": {"admin_password": PASSWORD, "iterations": 4096},
    }
    gateway = start_gateway(prosody_alone.component_port, {**ONE_STREAM, **sections})
    for name in ("romeo", "juliet"):
        gateway.register(name)
    gateway.wait_state("online")
    return gateway


def test_nothing_that_was_accepted_before_is_missing(loaded: Gateway, url: str, tmp_path: Path) -> None:
    called: list[float] = []
    settings = load_settings(loaded.folder / "wsgi.ini", {})
    with Writers(loaded) as writers:
        for n in range(BACKUPS):
            time.sleep(ROUND)  # so that there is something new in each
            called.append(time.monotonic())  # here, as a program would take a second to start, in which much gets to its place
            Backup(settings).make(tmp_path / f"{n}.tar.gz")
    counted: list[int] = []
    for n, at in enumerate(called):
        to_folder(tmp_path / f"{n}.tar.gz", tmp_path / f"restored{n}", force=False)
        kept = found(tmp_path / f"restored{n}", url)
        before = [item for item in writers.acknowledged if item.at < at]
        missing = [item for item in before if item.id not in kept[item.kind]]
        assert not missing, f"{len(missing)} of {len(before)} items are not in backup {n}: {missing[:5]}"
        deliveries = "".join(kept["delivery"])
        assert not [item for item in before if item.kind == "bot" and f"id='{item.id}'" not in deliveries]
        counted.append(len(before))
    assert counted[0] > 20, "there was a load"
    assert counted == sorted(counted)
    assert not writers.problems, writers.problems[:5]


def test_a_restored_gateway_goes_on(loaded: Gateway, start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    """It serves what was kept, and delivers what was waiting."""
    for n in range(5):
        loaded.send(f"<message to='juliet@{GATEWAY}' type='chat' id='h{n}'><body>x</body></message>", "romeo")
    restctl("--config", str(loaded.folder / "wsgi.ini"), "backup", str(tmp_path / "b.tar.gz"))
    loaded.stop()
    restctl("restore", str(tmp_path / "b.tar.gz"), "--config", str(loaded.folder / "wsgi.ini"), "--force")
    loaded.start()
    loaded.wait_state("online")
    answer = loaded.request("GET", "/api/messages", user="juliet")
    assert [item["id"] for item in answer.json()] == [f"h{n}" for n in range(5)]
