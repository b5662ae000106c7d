"""Commands that act on many accounts answer at once, and job_status tells how far they are, also of what a restart has interrupted."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from drivers import Content, StorageError
from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN
from tests.many import when
from xmpp_rest.api.commands import many
from xmpp_rest.api.commands.groups import inactive_accounts
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts import jobs as module
from xmpp_rest.service.accounts.job_progress import JobProgress, to_row

HOST = {"host": DOMAIN}
NEWS = HOST | {"subject": "s", "body": "news"}
MANY = 70


@pytest.fixture
def crowd(gateway: Gateway) -> list[str]:
    names = [f"u{n:03}" for n in range(MANY)]
    errors = gateway.driver.bulk_write([Content(name, DOMAIN, "accounts", "keyval", {"password": "x"}) for name in names])
    assert not any(errors)
    return names


def end_of(run: Run, name: str) -> dict[str, Any]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        (row,) = [row for row in run("job_status", HOST).body if row["name"] == name]
        if row["state"] != "running":
            return dict(row)
        time.sleep(0.02)
    raise AssertionError(row)


def archived(gateway: Gateway, name: str) -> int:
    return gateway.driver.archive_count(name, DOMAIN, "archive")


def test_an_announcement_to_many(run: Run, gateway: Gateway, crowd: list[str]) -> None:
    assert run("job_status", HOST) == (200, [])
    assert run("announce_send_all", NEWS) == (200, 0)
    row = end_of(run, "announce_send_all")
    assert (row["state"], row["done"], row["total"], row["failed"], row["about"]) == ("done", MANY + 3, MANY + 3, 0, "s")
    assert [archived(gateway, name) for name in ("admin", *crowd)] == [1] * (MANY + 1)


def test_an_announcement_to_many_who_are_online(run: Run, gateway: Gateway, crowd: list[str]) -> None:
    table = [{"resource": "r", "stanza": "<presence/>", "since": 1}]
    assert not any(gateway.driver.bulk_write([Content(name, DOMAIN, "presence", "keyval", table) for name in crowd]))
    streams = [gateway.parts.streams.open(JID(name, DOMAIN, "")) for name in crowd[:2]]
    assert run("announce_send_online", NEWS) == (200, 0)
    row = end_of(run, "announce_send_online")
    assert (row["state"], row["done"], row["total"]) == ("done", MANY, MANY)
    for stream in streams:
        heard = stream.next(30)
        assert heard is not None
        assert heard.stanza.findtext("body") == "news"


def test_everybody_in_the_roster_of_everybody(run: Run, crowd: list[str]) -> None:
    assert run("push_alltoall", HOST | {"group": "All"}) == (200, 0)
    assert end_of(run, "push_alltoall")["done"] == MANY + 3
    assert [run("get_roster_count", {"user": name, "host": DOMAIN}).body for name in (crowd[0], "juliet")] == [MANY + 2] * 2


def test_what_fails_is_counted_and_the_others_go_on(run: Run, gateway: Gateway, crowd: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    send = gateway.parts.router.send

    def failing(stanza: Any) -> Any:
        if stanza.get("to", "").startswith("u00"):
            raise (StorageError("the disk is full") if stanza.get("to") < "u005" else ValueError("unforeseen"))
        return send(stanza)

    monkeypatch.setattr(gateway.parts.router, "send", failing)
    run("announce_send_all", NEWS)
    row = end_of(run, "announce_send_all")
    assert (row["state"], row["done"], row["failed"]) == ("done", MANY - 7, 10)
    assert gateway.incidents.counts()["job-item-failed"] == 10
    assert [archived(gateway, name) for name in (crowd[9], crowd[10])] == [0, 1]


@pytest.fixture
def held(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Announcements are sent once this is set."""
    go, send = threading.Event(), gateway.parts.router.send

    def waiting(stanza: Any) -> Any:
        assert go.wait(30)
        return send(stanza)

    monkeypatch.setattr(gateway.parts.router, "send", waiting)
    return go


@pytest.mark.usefixtures("crowd")
def test_several_at_once_have_names_and_a_bound(run: Run, held: threading.Event) -> None:
    for n in range(module.ALIKE):
        assert run("announce_send_all", NEWS | {"subject": f"s{n}"}) == (200, 0)
    assert run("announce_send_all", NEWS) == (400, "Operation in progress")
    found = {row["name"]: (row["state"], row["about"]) for row in run("job_status", HOST).body}
    names = ["announce_send_all", *(f"announce_send_all-{n}" for n in range(2, module.ALIKE + 1))]
    assert found == {name: ("running", f"s{n}") for n, name in enumerate(names)}
    held.set()
    assert {end_of(run, name)["state"] for name in names} == {"done"}
    assert run("announce_send_all", NEWS) == (200, 0)
    assert end_of(run, "announce_send_all")["about"] == "s"


@pytest.mark.usefixtures("crowd")
def test_an_aborted_job(run: Run, held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTED", 0.0)
    monkeypatch.setattr(many, "CHUNK", 10)
    run("announce_send_all", NEWS)
    assert run("abort_job", HOST | {"job": "announce_send_all"}) == (200, "Operation aborted")
    held.set()
    row = end_of(run, "announce_send_all")
    assert (row["state"], row["error"]) == ("aborted", "")
    assert run("abort_job", HOST | {"job": "announce_send_all"}) == (200, "No task running")
    assert run("abort_job", HOST | {"job": "none"}) == (200, "No task running")


@pytest.mark.usefixtures("crowd")
def test_an_aborted_job_stays_so_when_another_one_begins_at_once(
    run: Run, gateway: Gateway, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NOTED", 0.0)
    monkeypatch.setattr(many, "CHUNK", 10)
    run("announce_send_all", NEWS | {"subject": "first"})
    assert run("abort_job", HOST | {"job": "announce_send_all"}) == (200, "Operation aborted")
    run("announce_send_all", NEWS | {"subject": "second"})
    held.set()
    gateway.parts.jobs.wait()
    row = end_of(run, "announce_send_all")
    assert (row["state"], row["done"], row["total"], row["about"]) == ("done", MANY + 3, MANY + 3, "second")
    sent = sum(archived(gateway, f"u{n:03}") for n in range(MANY))
    assert MANY <= sent <= MANY + 10, "the first one ended at its first record"


@pytest.mark.usefixtures("crowd")
def test_a_job_that_ends_while_it_is_being_aborted(run: Run, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    run("announce_send_all", NEWS)
    gateway.parts.jobs.wait()
    done = gateway.parts.jobs.progress("announce_send_all")
    assert done is not None
    monkeypatch.setattr(gateway.parts.jobs, "progress", lambda _: done._replace(state="running"))
    assert run("abort_job", HOST | {"job": "announce_send_all"}) == (200, "No task running")
    assert end_of(run, "announce_send_all")["state"] == "done"


@pytest.mark.usefixtures("crowd")
def test_a_stopping_process_tells_what_is_interrupted(run: Run, gateway: Gateway, held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "CHUNK", 10)
    run("announce_send_all", NEWS)
    when(gateway.parts.jobs._stopping.is_set, held.set)
    gateway.parts.jobs.stop()
    row = end_of(run, "announce_send_all")
    assert (row["state"], row["error"]) == ("interrupted", "its process was stopped")
    assert row["done"] < row["total"]


@pytest.mark.usefixtures("crowd")
def test_a_job_goes_on_until_it_is_stopped_though_the_main_thread_has_ended(
    run: Run, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As below other WSGI servers, where the gateway is stopped at the exit."""
    monkeypatch.setattr(many, "CHUNK", 10)
    run("announce_send_all", NEWS)
    monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
    held.set()
    row = end_of(run, "announce_send_all")
    assert (row["state"], row["done"], row["failed"]) == ("done", MANY + 3, 0)


@pytest.mark.parametrize("ticks", [-1, 1])
def test_after_a_crash_the_job_is_interrupted(run: Run, gateway: Gateway, ticks: int) -> None:
    row = to_row(JobProgress("running", 7, total=9, about="s"))
    assert row["by"][1] == os.getpid()
    gateway.driver.store(None, DOMAIN, "jobs", {"announce_send_all": row})
    assert run("job_status", HOST).body[0]["state"] == "running"
    gateway.driver.store(None, DOMAIN, "jobs", {"announce_send_all": row | {"by": [row["by"][0], row["by"][1], row["by"][2] + ticks]}})
    (found,) = run("job_status", HOST).body
    assert (found["state"], found["done"], found["total"], found["error"]) == ("interrupted", 7, 9, "its process has ended")


def test_accounts_that_nobody_uses_are_removed_behind_a_sentence(
    run: Run, gateway: Gateway, crowd: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inactive_accounts, "PATIENCE", 0.0)
    for name in crowd[:5]:
        gateway.parts.last.set(JID(name, DOMAIN, ""), int(time.time()), "")
    for name in crowd[5:9]:
        gateway.parts.last.set(JID(name, DOMAIN, ""), int(time.time()) - 9 * 86400, "")
    answer = run("delete_old_users", {"days": 5})
    assert (answer.status, "in the background" in answer.body) == (200, True)
    row = end_of(run, "delete_old_users")
    assert (row["state"], row["done"], row["failed"], row["about"]) == ("done", MANY - 5 + 2, 0, "5 days")
    assert run("registered_users", HOST).body == ["admin", *crowd[:5]]


def test_pages_of_last_activity_are_read_not_each_account(run: Run, gateway: Gateway, crowd: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*crowd, "juliet", "nurse"):
        gateway.parts.last.set(JID(name, DOMAIN, ""), int(time.time()), "")
    loads: list[str] = []
    load = gateway.driver.load
    monkeypatch.setattr(gateway.driver, "load", lambda user, host, store: loads.append(store) or load(user, host, store))
    assert run("delete_old_users", {"days": 5}) == (200, "Deleted 0 users: []")
    assert loads.count("last") < 5


def test_a_failing_scan_is_told(run: Run, gateway: Gateway, crowd: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert crowd
    monkeypatch.setattr(gateway.driver, "bulk_read", lambda places: [StorageError("the disk is full") for _ in places])
    answer = run("delete_old_users", {"days": 5})
    assert (answer.status, "the disk is full" in answer.body["message"]) == (503, True)
    assert end_of(run, "delete_old_users")["state"] == "failed"


@pytest.mark.parametrize(
    ("command", "arguments"), [("delete_old_messages", {"days": 0}), ("delete_old_mam_messages", {"type": "chat", "days": 0})], ids=str
)
def test_messages_of_many_accounts(run: Run, gateway: Gateway, crowd: list[str], command: str, arguments: dict[str, Any]) -> None:
    for name in crowd:
        for store in ("offline", "archive"):
            gateway.driver.archive_append(name, DOMAIN, store, "<message/>", when=time.time() - 86400)
    assert run(command, arguments) == (200, 0)
    assert end_of(run, f"{command}-all")["done"] == MANY
    store = "archive" if "mam" in command else "offline"
    assert sum(gateway.driver.archive_count(name, DOMAIN, store) for name in crowd) == 0
