"""Commands that send messages, and that count and remove offline ones (commands-api §12)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from drivers import ArchiveQuery, StorageError
from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

JULIET = {"user": "juliet", "host": DOMAIN}
HOST = {"host": DOMAIN}
ENDS = {"from": f"nurse@{DOMAIN}", "to": f"juliet@{DOMAIN}"}
MESSAGE = ENDS | {"type": "chat", "subject": "", "body": "Madam!"}


def archived(gateway: Gateway, user: str) -> list[str]:
    return [item.stanza for item in gateway.driver.archive_find(user, DOMAIN, "archive")]


def waiting(run: Run) -> int:
    count: int = run("get_offline_count", JULIET).body
    return count


def test_a_message_is_in_both_archives(run: Run, gateway: Gateway) -> None:
    assert run("send_message", MESSAGE | {"subject": "News", "type": "strange"}) == (200, 0)
    (mine,), (hers,) = archived(gateway, "juliet"), archived(gateway, "nurse")
    assert mine == hers
    assert "<subject>News</subject><body>Madam!</body>" in mine
    assert "type=" not in mine


@pytest.mark.parametrize(
    ("change", "status", "body"),
    [
        ({"to": "@@"}, 400, "Bad value of attribute 'to' in tag <message/> qualified by namespace 'jabber:client'"),
        ({"from": ""}, 400, "Bad value of attribute 'from' in tag <message/> qualified by namespace 'jabber:client'"),
        ({"to": f"nobody@{DOMAIN}"}, 200, 0),
        ({"from": f"nobody@{DOMAIN}"}, 200, 0),
        ({"from": DOMAIN}, 200, 0),
        ({"from": "romeo@montague.example"}, 200, 0),
        ({"to": "romeo@montague.example"}, 200, 0),
        ({"from": "romeo@montague.example", "to": "friar@verona.example"}, 400, "Neither montague.example nor verona.example is hosted here"),
        ({"body": "\u0007"}, 400, None),
    ],
)
def test_ends_of_a_message(run: Run, change: dict[str, str], status: int, body: Any) -> None:
    answer = run("send_message", MESSAGE | change)
    assert answer.status == status
    assert body is None or answer.body == body


def test_a_message_as_if_from_afar(run: Run, gateway: Gateway) -> None:
    run("send_message", MESSAGE | {"from": "romeo@montague.example/orchard"})
    assert 'from="romeo@montague.example/orchard"' in archived(gateway, "juliet")[0].replace("'", '"')


@pytest.mark.parametrize(
    ("stanza", "answer"),
    [
        ("<message><body>x</body></message>", (200, 0)),
        ("<presence/>", (200, 0)),
        ("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", (200, 0)),
        ("<message", (400, "unclosed token")),
        ("<message>", (400, "no element found")),
        ("<a></b>", (400, "mismatched tag")),
        ("", (400, "no element found")),
        ("<message/><message/>", (400, "junk after document element")),
        ("<body/>", (400, "The stanza must be a message, presence or iq")),
        ("<iq type='get'/>", (400, "An iq needs the attribute id")),
        ("<iq type='result'/>", (400, "An iq needs the attribute id")),
        ("<iq type='get' id='1'/>", (200, 0)),
        ("<iq type='result' id='1'/>", (200, 0)),
        ("<iq id='1'/>", (400, "An iq needs the attribute type: one of get, set, result, error")),
        ("<iq type='Get' id='1'/>", (400, "An iq needs the attribute type: one of get, set, result, error")),
        ("<presence type='subscribe'/>", (200, 0)),
        ("<presence type='available'/>", (400, None)),
        ("<message type='strange'><body>x</body></message>", (200, 0)),
    ],
)
def test_stanzas(run: Run, stanza: str, answer: Any) -> None:
    status, body = run("send_stanza", ENDS | {"stanza": stanza})
    assert (status, answer[1] and body) == answer


def test_a_stanza_of_a_malformed_address(run: Run) -> None:
    assert run("send_stanza", ENDS | {"to": "@@", "stanza": "<message/>"}) == (400, "JID malformed")


def test_a_stanza_of_a_session(run: Run, client: FlaskClient, gateway: Gateway) -> None:
    args = {"user": "nurse", "host": DOMAIN, "resource": "phone", "stanza": f"<message to='juliet@{DOMAIN}'><body>hey</body></message>"}
    assert run("send_stanza_c2s", args) == (400, "no_session")
    client.post("/rest", json={"kind": "presence", "from": f"nurse@{DOMAIN}/phone"}, headers=basic("nurse"))
    assert run("send_stanza_c2s", args) == (200, 0)
    assert run("send_stanza_c2s", args | {"stanza": "<iq type='get'/>"}) == (400, "An iq needs the attribute id")
    assert f"nurse@{DOMAIN}/phone" in archived(gateway, "juliet")[0]


# offline messages


@pytest.mark.parametrize(
    ("stanza", "waits"),
    [
        ("<message type='chat'><body>x</body></message>", 1),
        ("<message><body/></message>", 1),
        ("<message type='normal'><x xmlns='urn:example:e'/></message>", 1),
        ("<message type='headline'><body>x</body></message>", 0),
        ("<message type='groupchat'><body>x</body></message>", 0),
        ("<message/>", 0),
        ("<message><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>", 0),
        ("<presence/>", 0),
    ],
)
def test_what_waits(run: Run, stanza: str, waits: int) -> None:
    run("send_stanza", ENDS | {"stanza": stanza})
    assert waiting(run) == waits


def test_nothing_waits_for_who_listens(run: Run, client: FlaskClient, gateway: Gateway) -> None:
    gateway.start()
    run("send_message", MESSAGE)
    stream = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"))
    assert waiting(run) == 0
    run("send_message", MESSAGE)
    assert waiting(run) == 0
    stream.close()
    run("send_message", MESSAGE)
    assert waiting(run) == 1
    client.post("/rest", json={"kind": "presence"}, headers=basic("juliet"))
    assert waiting(run) == 0


def test_who_is_absent_has_none(run: Run) -> None:
    assert run("get_offline_count", {"user": "nobody", "host": DOMAIN}) == (200, 0)


def test_old_messages_go(run: Run, gateway: Gateway) -> None:
    run("send_message", MESSAGE)
    gateway.driver.archive_append("juliet", DOMAIN, "offline", "<message/>", when=time.time() - 10 * 86400)
    assert run("delete_old_messages", {"days": 20}) == (200, 0)
    assert waiting(run) == 2
    assert run("delete_old_messages", {"days": 5}) == (200, 0)
    assert waiting(run) == 1
    assert len(archived(gateway, "juliet")) == 1
    assert run("delete_old_messages", {"days": -1}) == (400, "Invalid number of days")


@pytest.mark.parametrize(
    ("inside", "left"),
    [
        ("<x xmlns='jabber:x:expire' seconds='0'/>", 0),
        ("<x xmlns='jabber:x:expire' seconds='3600'/>", 1),
        ("<x xmlns='jabber:x:expire' seconds='soon'/>", 1),
        ("<x xmlns='jabber:x:expire' seconds='60'/><delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>", 0),
        ("<x xmlns='jabber:x:expire' seconds='60'/><delay xmlns='urn:xmpp:delay' stamp='yesterday'/>", 1),
        ("<body/>", 1),
    ],
)
def test_expired_messages_go(run: Run, inside: str, left: int) -> None:
    run("send_stanza", ENDS | {"stanza": f"<message>{inside}</message>"})
    assert run("delete_expired_messages") == (200, 0)
    assert waiting(run) == left


# jobs

OFFLINE_JOB: tuple[str, str, str, dict[str, Any]] = ("delete_old_messages_batch", "delete_old_messages_status", "abort_delete_old_messages", {})
MAM_JOB = ("delete_old_mam_messages_batch", "delete_old_mam_messages_status", "abort_delete_old_mam_messages", {"type": "all"})


@pytest.fixture
def seven(run: Run, gateway: Gateway) -> None:
    """Old messages, offline and archived, in two accounts."""
    for n in range(7):
        for store in ("offline", "archive"):
            gateway.driver.archive_append("juliet" if n < 5 else "nurse", DOMAIN, store, "<message/>", when=time.time() - 86400)


def end_of(run: Run, status: str) -> str:
    for _ in range(100):
        text: str = run(status, HOST).body
        if "in progress" not in text:
            return text
        time.sleep(0.05)
    raise AssertionError(text)


@pytest.mark.parametrize("job", [OFFLINE_JOB, MAM_JOB], ids=["offline", "archive"])
@pytest.mark.usefixtures("seven")
class TestJobs:
    def test_to_its_end(self, run: Run, gateway: Gateway, job: Any) -> None:
        batch, status, abort, extra = job
        assert run(status, HOST) == (200, "Operation not started")
        assert run(abort, HOST) == (200, "No task running")
        assert run(batch, HOST | extra | {"days": 0, "batch_size": 3, "rate": 1_000_000}) == (200, "")
        assert end_of(run, status) == "Operation was completed after deleting 7 messages"
        store = "archive" if extra else "offline"
        assert [gateway.driver.archive_count(u, DOMAIN, store) for u in ("juliet", "nurse")] == [0, 0]

    def test_stopped(self, run: Run, job: Any) -> None:
        batch, status, abort, extra = job
        slow = HOST | extra | {"days": 0, "batch_size": 2, "rate": 60}
        assert run(batch, slow) == (200, "")
        while run(status, HOST).body != "Operation in progress, deleted 2 messages":
            time.sleep(0.01)
        assert run(batch, slow) == (400, "Operation in progress")
        assert run(abort, HOST) == (200, "Operation aborted")
        assert run(status, HOST) == (200, "Operation was aborted after deleting 2 messages")
        assert run(abort, HOST) == (200, "No task running")

    def test_failing(self, run: Run, gateway: Gateway, job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        batch, status, _, extra = job
        monkeypatch.setattr(gateway.driver, "archive_delete", _fails)
        run(batch, HOST | extra | {"days": 0, "batch_size": 2, "rate": 60})
        assert end_of(run, status) == "Operation failed after deleting 0 messages with error The storage failed: the disk is full"

    def test_wrong_figures(self, run: Run, job: Any) -> None:
        batch, _, _, extra = job
        for wrong in ({"batch_size": 0}, {"rate": 0}, {"days": -1}):
            assert run(batch, HOST | extra | {"days": 1, "batch_size": 1, "rate": 1} | wrong).status == 400


def _fails(*_: Any) -> int:
    raise StorageError("the disk is full")


def test_a_job_whose_process_has_ended(run: Run, gateway: Gateway) -> None:
    row = {"state": "running", "count": 4, "error": "", "at": time.time() - 60}
    gateway.driver.store(None, DOMAIN, "jobs", {"delete_old_messages": row})
    text = "Operation failed after deleting 4 messages with error its process has ended"
    assert run("delete_old_messages_status", HOST) == (200, text)


# accounts that nobody uses


def test_old_users(run: Run, client: FlaskClient) -> None:
    client.post("/rest", json={"kind": "presence"}, headers=basic("nurse"))
    assert run("delete_old_users", {"days": 1}) == (200, f'Deleted 1 users: [{{<<"juliet">>,<<"{DOMAIN}">>}}]')
    assert run("registered_users", HOST).body == ["admin", "nurse"]
    assert run("delete_old_users_vhost", HOST | {"days": 0}) == (200, "Deleted 0 users: []")


def test_who_came_in_lately_stays(run: Run, client: FlaskClient) -> None:
    run("set_last", {"user": "nurse", "host": DOMAIN, "timestamp": int(time.time()) - 5 * 86400, "status": ""})
    assert client.get("/api/contacts", headers=basic(f"juliet@{DOMAIN}")).status_code == 200
    assert run("delete_old_users", {"days": 6}) == (200, "Deleted 0 users: []")
    assert "nurse" in run("delete_old_users", {"days": 4}).body


# announcements


def test_announcements(run: Run, client: FlaskClient, gateway: Gateway) -> None:
    client.post("/rest", json={"kind": "presence"}, headers=basic("nurse"))
    news = HOST | {"subject": "Tonight", "body": "A feast"}
    assert run("announce_send_all", news) == (200, 0)
    assert [len(archived(gateway, user)) for user in ("juliet", "nurse")] == [1, 1]
    assert waiting(run) == 1
    assert run("announce_send_online", news) == (200, 0)
    assert run("announce_send_all", news | {"body": "\u0007"}).status == 400


def test_the_message_of_the_day_is_seen_once(run: Run, gateway: Gateway) -> None:
    gateway.start()
    assert run("announce_motd_get", HOST) == (200, {"subject": "", "body": ""})
    assert run("announce_motd_update", HOST | {"subject": "Tonight", "body": "A feast"}) == (200, 0)
    assert run("announce_motd_get", HOST) == (200, {"subject": "Tonight", "body": "A feast"})
    owner = parse_jid(f"juliet@{DOMAIN}")
    first, second = gateway.parts.streams.open(owner), gateway.parts.streams.open(owner)
    event = first.next(30)
    assert event is not None
    assert event.stanza.findtext("body") == "A feast"
    assert second.next(0.05) is None
    run("announce_motd_delete", HOST)
    assert run("announce_motd_get", HOST) == (200, {"subject": "", "body": ""})


def test_archives_are_not_offline_messages(run: Run, gateway: Gateway) -> None:
    run("send_message", MESSAGE)
    run("remove_mam_for_user", JULIET)
    assert waiting(run) == 1
    assert gateway.driver.archive_count("juliet", DOMAIN, "archive", ArchiveQuery()) == 0
