"""A message is on disk when it is accepted, and in the archive for all later readers: in any process, after any kill (decision 0037)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import pytest
from flask import Flask

from drivers import StorageError
from tests.conftest import DOMAIN, PASSWORD, MakeApp, build_app, register_users
from tests.raising import raising
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.left_over import archive_left_over
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.accounts.data_rights import StoreKey
from xmpp_rest.service.messages import archive_queue
from xmpp_rest.service.messages.archive import EVERYTHING, ArchiveFilter
from xmpp_rest.service.messages.archive_queue import ArchiveQueue
from xmpp_rest.service.messages.batch import OutboundMessage

JULIET, ROMEO = parse_jid(f"juliet@{DOMAIN}"), parse_jid("romeo@montague.example")
LINK = {"link_kind": "component", "link_secret": "x", "link_port": "1"}
ROOT = Path(__file__).parents[3]


@pytest.fixture
def pair_settings() -> dict[str, str]:
    return LINK


@pytest.fixture(autouse=True)
def _nobody_archives_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread waits so long that only readers have anything archived."""
    monkeypatch.setattr(archive_queue, "DELAY", 1000.0)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return register_users(make_app(**LINK))


@pytest.fixture
def gateway(app: Flask) -> Gateway:
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    return gateway


def outgoing(body: str) -> OutboundMessage:
    stanza = Element("message", {"from": str(JULIET), "to": str(ROMEO), "id": body, "type": "chat"})
    SubElement(stanza, "body").text = body
    return OutboundMessage(stanza, JULIET, ROMEO)


def send(gateway: Gateway, *bodies: str) -> None:
    results = gateway.parts.sending.send_many([outgoing(body) for body in bodies])
    assert results == [None] * len(bodies)


def there(gateway: Gateway) -> list[str]:
    """What the storage has, whatever is to come."""
    return [item.stanza.partition("<body>")[2].partition("<")[0] for item in gateway.driver.archive_find("juliet", DOMAIN, "archive")]


def waiting(gateway: Gateway) -> int:
    """The number of stanzas in the outbox of the accounts' domain."""
    return next(int(stream["outbox"]) for stream in gateway.parts.leader.status() if stream["domain"] == DOMAIN)


def read(gateway: Gateway) -> list[str]:
    return [kept.stanza.findtext("body") or "" for kept in gateway.parts.archive.page(JULIET, EVERYTHING, 1000).items]


def test_the_answer_does_not_wait_for_the_archive_and_readers_do(gateway: Gateway) -> None:
    send(gateway, "a", "b")
    assert there(gateway) == []
    assert read(gateway) == there(gateway) == ["a", "b"]


READERS: dict[str, Callable[[Gateway], object]] = {
    "page": read,
    "count": lambda gateway: gateway.parts.archive.count(JULIET, EVERYTHING),
    "last_id": lambda gateway: gateway.parts.archive.last_id(JULIET),
    "owners": lambda gateway: gateway.parts.archive.owners(DOMAIN),
    "has": lambda gateway: gateway.parts.mailbox.has(outgoing("z").stanza, "z", JULIET, ROMEO),
    "a stream": lambda gateway: gateway.parts.streams.open(JULIET).close(),
    "items of /data": lambda gateway: gateway.parts.data.items(StoreKey(DOMAIN, "juliet", "archive")),
    "stores of /data": lambda gateway: gateway.parts.data.stores(StoreKey(DOMAIN, "juliet", "any")),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("process", [0, 1], ids=["leader", "follower"])
def test_every_reader_in_every_process_finds_what_was_accepted(pair: tuple[Gateway, Gateway], reader: str, process: int) -> None:
    send(pair[1 - process], "a")
    assert there(pair[0]) == []
    READERS[reader](pair[process])
    assert there(pair[0]) == ["a"]


def test_a_reader_of_another_account_waits_for_nothing(pair: tuple[Gateway, Gateway]) -> None:
    send(pair[0], "a")
    for gateway in pair:
        gateway.parts.archive.count(parse_jid(f"nurse@{DOMAIN}"), EVERYTHING)
    assert there(pair[0]) == []


def test_what_comes_in_is_archived_after_what_went_out_before(gateway: Gateway) -> None:
    send(gateway, "question")
    answer = make("message", from_=str(ROMEO), to_=str(JULIET), type_="chat")
    SubElement(answer, "body").text = "answer"
    assert gateway.parts.router.deliver(answer, ROMEO, JULIET) is None
    send(gateway, "thanks")
    assert read(gateway) == ["question", "answer", "thanks"]
    times = [item.when for item in gateway.driver.archive_find("juliet", DOMAIN, "archive")]
    assert times == sorted(set(times))


def test_streams_are_told_at_once_and_resume_without_gap_or_repetition(gateway: Gateway) -> None:
    with_stream = gateway.parts.streams.open(JULIET)
    send(gateway, "a", "b")
    first, second = with_stream.next(0), with_stream.next(0)
    with_stream.close()
    assert first is not None
    assert second is not None
    send(gateway, "c")
    resumed = gateway.parts.streams.open(JULIET, after=first.id)
    ids = []
    while (event := resumed.next(0)) is not None:
        ids.append(event.id)
        if len(ids) == 2:
            send(gateway, "d")
    resumed.close()
    assert ids == [item.id for item in gateway.driver.archive_find("juliet", DOMAIN, "archive")][1:]
    assert ids[0] == second.id
    assert read(gateway) == ["a", "b", "c", "d"]


def test_beyond_the_bound_messages_are_archived_before_their_answers(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_queue, "ROOM", 2)
    send(gateway, "a", "b")
    assert there(gateway) == []
    send(gateway, "c")
    assert there(gateway) == ["a", "b", "c"]


def test_a_storage_that_fails_loses_nothing_and_is_told_to_readers(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = gateway.parts.mailbox._queue
    assert isinstance(queue, ArchiveQueue)
    with monkeypatch.context() as broken:
        broken.setattr(queue._archive, "keep_all", lambda items: [StorageError("full") for _ in items])
        send(gateway, "a")
        with pytest.raises(StorageError, match="full"):
            read(gateway)
        assert gateway.incidents.counts() == {"archive-behind": 1}
    assert read(gateway) == ["a"]


def test_a_refused_message_is_not_archived(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.parts.router._link, "send_all", raising(StorageError("no")))
    assert [type(e) for e in gateway.parts.sending.send_many([outgoing("a")])] == [StorageError]
    assert read(gateway) == []


def test_an_account_that_is_removed_leaves_nothing(gateway: Gateway) -> None:
    send(gateway, "a")
    gateway.parts.accounts.unregister(JULIET)
    send(gateway, "late")  # by a request that was authenticated before
    gateway.parts.archive.remove(JULIET, EVERYTHING)
    assert not list(gateway.driver.stores("juliet", DOMAIN))


# after a crash

CHILD = """
import os, signal, sys
from pathlib import Path
import drivers.sqlite
from tests.conftest import build_app, register_users
from tests.service.messages.test_archived_behind import JULIET, LINK, outgoing
from xmpp_rest.link.outbox import Outbox
from xmpp_rest.service.messages import archive_queue
from xmpp_rest.service.messages.archive import EVERYTHING
from xmpp_rest.service.messages.archive_queue import ArchiveQueue
folder, step = sys.argv[1:]
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
archive_queue.DELAY = 1000.0
gateway = build_app(Path(folder), **LINK).extensions["gateway"]
gateway.start()
sending, archive = gateway.parts.sending, gateway.parts.archive
sending.send_many([outgoing(b) for b in "ab"])
archive.last_id(JULIET)
sending.send_many([outgoing("c")])
if step == "journal":
    ArchiveQueue.put = kill
elif step == "answer":
    sending.send_many([outgoing("d")])
    kill()
elif step == "transaction":
    drivers.sqlite._commit = kill
elif step == "archived":
    Outbox.ack_notes = kill
elif step == "removed":
    archive.remove(JULIET, EVERYTHING)
    kill()
elif step == "unregistered":
    gateway.parts.accounts.unregister(JULIET)
    kill()
sending.send_many([outgoing("d")])
archive.last_id(JULIET)
"""


def killed_at(folder: Path, step: str) -> None:
    """A gateway on this folder sends a, b, which are archived, then c and d; and is killed."""
    app = register_users(build_app(folder))
    app.extensions["gateway"].stop()
    child = subprocess.run([sys.executable, "-c", CHILD, str(folder), step], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr


@pytest.fixture
def after_crash(tmp_path: Path) -> Iterator[Callable[[str], Gateway]]:
    """Starts a gateway on what a killed one left."""
    started: list[Gateway] = []

    def start(step: str) -> Gateway:
        killed_at(tmp_path / "crashed", step)
        gateway: Gateway = build_app(tmp_path / "crashed", **LINK).extensions["gateway"]
        started.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in started:
        gateway.stop()


@pytest.mark.parametrize(("step", "before"), [("journal", "ab"), ("answer", "ab"), ("transaction", "ab"), ("archived", "abcd")])
def test_what_was_accepted_is_archived_once_by_the_next_process(after_crash: Callable[[str], Gateway], step: str, before: str) -> None:
    gateway = after_crash(step)
    assert there(gateway) == list(before)
    assert read(gateway) == list("abcd")
    assert waiting(gateway) == 4, "and is sent"
    send(gateway, "e")
    assert read(gateway) == list("abcde")
    times = [item.when for item in gateway.driver.archive_find("juliet", DOMAIN, "archive")]
    assert times == sorted(set(times))


@pytest.mark.parametrize("step", ["removed", "unregistered"])
def test_what_was_removed_does_not_come_back(after_crash: Callable[[str], Gateway], step: str) -> None:
    gateway = after_crash(step)
    assert read(gateway) == []
    assert waiting(gateway) == 3


def test_a_command_without_a_gateway_finds_what_was_accepted(tmp_path: Path) -> None:
    killed_at(tmp_path, "answer")
    gateway: Gateway = build_app(tmp_path, **LINK).extensions["gateway"]
    archive_left_over(gateway.data_dir, DOMAIN, gateway.driver, gateway.incidents)
    assert there(gateway) == list("abcd")
    gateway.parts.archive.remove(JULIET, ArchiveFilter())
    gateway.start()
    assert read(gateway) == []
    assert waiting(gateway) == 4
    with pytest.raises(StorageError, match="has just begun"):
        archive_left_over(gateway.data_dir, DOMAIN, gateway.driver, gateway.incidents)
    gateway.stop()


def test_another_process_takes_over_what_the_killed_leader_has_not_archived(tmp_path: Path) -> None:
    register_users(build_app(tmp_path)).extensions["gateway"].stop()
    script = CHILD.partition("sending, archive")[0] + "print('leads', flush=True)\nsignal.pause()"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path), ""], cwd=ROOT, stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        assert leader.stdout.readline() == "leads\n"
        follower: Gateway = build_app(tmp_path, **LINK).extensions["gateway"]
        follower.start()
        assert follower.parts.remote.follows()
        send(follower, "a", "b")
        assert there(follower) == []
        leader.kill()
        assert read(follower) == ["a", "b"]
        follower.stop()


def test_a_clean_end_leaves_nothing_to_archive(make_app: MakeApp, tmp_path: Path) -> None:
    first, second = (make_app(server_data_dir=str(tmp_path / "same"), **LINK).extensions["gateway"] for _ in range(2))
    first.start()
    first.parts.accounts.register(JULIET, PASSWORD)
    send(first, "a")
    first.stop()
    second.start()
    assert there(second) == ["a"]
    assert not second.parts.mailbox._queue
    assert waiting(second) == 1
