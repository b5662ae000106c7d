"""What accounts of other servers send at /rest (accounts-anywhere §7.1, §7.2), with a scripted server of theirs."""

from __future__ import annotations

import json
import threading
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from werkzeug.test import TestResponse

from tests.foreign_app import MONTAGUE, ROMEO, ForeignApp, MakeForeignApp, foreign_app, make_foreign_app, montague_folder
from tests.link.attached import until
from tests.link.c2s.fake_session import FakeSession
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.namespaces import MAM, PING
from xmpp_rest.protocol.stanza import child, make, refusal, result

__all__ = ["foreign_app", "make_foreign_app", "montague_folder"]

BENVOLIO = f"benvolio@{MONTAGUE}"
NDJSON = {"Content-Type": "application/x-ndjson"}
WAITING = {"Prefer": "wait=20"}


def send(app: ForeignApp, user: str = "romeo", headers: dict[str, str] | None = None, **stanza: Any) -> TestResponse:
    return app.ask("POST", "/rest", user, json={"to": BENVOLIO, "body": "Hark", **stanza}, headers=headers or {})


def state(app: ForeignApp, identifier: str, user: str = "romeo") -> str:
    shown = app.ask("GET", f"/rest/outcome/{identifier}", user)
    return str(shown.get_json()["state"]) if shown.status_code == 200 else ""


def sent(app: ForeignApp, tag: str = "message") -> list[Element]:
    return app.server.received("romeo", tag)


def pings(app: ForeignApp) -> list[Element]:
    return [iq for iq in sent(app, "iq") if iq.find(f"{{{PING}}}ping") is not None]


class TestMessages:
    def test_one_is_confirmed_by_the_barrier_behind_it(self, foreign_app: ForeignApp) -> None:
        answer = send(foreign_app, id="m1")
        assert (answer.status_code, answer.headers["Stanza-Id"], answer.data) == (202, "m1", b"")
        (message,) = sent(foreign_app)
        assert (message.get("id"), message.get("to"), message.findtext("body")) == ("m1", BENVOLIO, "Hark")
        assert [each.tag for each in foreign_app.server.received("romeo")] == ["message", "iq"]
        assert state(foreign_app, "m1") == "confirmed"
        assert state(foreign_app, "m1", "benvolio") == ""

    def test_no_sender_is_written(self, foreign_app: ForeignApp) -> None:
        lines: list[str] = []
        foreign_app.server.handlers.append(lambda _, stanza: lines.append(str(stanza.get("from"))))
        jid = foreign_app.log_in()
        for sender in (None, str(ROMEO), str(jid)):
            given: dict[str, Any] = {"from": sender} if sender else {}
            assert send(foreign_app, **given).status_code == 202
        echoed = foreign_app.ask("POST", "/rest/echo", json={"to": BENVOLIO, "body": "x"}).get_json()
        assert echoed["from"] == str(jid)
        assert set(lines) == {str(jid)}  # as the server has put it in

    @pytest.mark.parametrize("sender", [f"{ROMEO}/phone", BENVOLIO, "juliet@capulet.example"])
    def test_nobody_sends_as_another_one(self, foreign_app: ForeignApp, sender: str) -> None:
        given: dict[str, Any] = {"from": sender}
        answer = send(foreign_app, **given)
        assert (answer.status_code, answer.get_json()["error"]["text"]) == (403, "Not authorized to send stanza with requested 'from'")
        assert not sent(foreign_app)

    def test_what_the_server_refuses_at_once_is_the_answer(self, foreign_app: ForeignApp) -> None:
        answer = send(foreign_app, to="nobody@nowhere.example", id="m1")
        assert answer.status_code == 200
        error = answer.get_json()
        assert (error["type"], error["error"]["condition"], error["id"]) == ("error", "remote-server-not-found", "m1")
        shown = foreign_app.ask("GET", "/rest/outcome/m1").get_json()
        assert (shown["state"], shown["error"]["condition"]) == ("refused", "remote-server-not-found")

    @pytest.mark.parametrize("kind", ["message", "presence", "iq"])
    def test_a_refusal_beyond_a_bound_is_one(self, foreign_app: ForeignApp, kind: str) -> None:
        def refuse(session: FakeSession, stanza: Element) -> bool:
            if stanza.get("to") != BENVOLIO:
                return False
            deep = "<a>" * 100 + "</a>" * 100
            session.send(f"<{kind} from='{BENVOLIO}' to='{session.jid}' type='error' id='{stanza.get('id')}'>{deep}</{kind}>")
            return True

        foreign_app.server.handlers.append(refuse)
        more: dict[str, dict[str, Any]] = {"message": {"body": "x"}, "presence": {}, "iq": {"type": "get", "ping": True}}
        answer = foreign_app.ask("POST", "/rest", json={"kind": kind, "to": BENVOLIO, "id": "m1"} | more[kind])
        assert (answer.status_code, answer.get_json()["type"]) == (200, "error")

    def test_an_id_that_was_refused_may_be_used_again(self, foreign_app: ForeignApp) -> None:
        assert send(foreign_app, to="nobody@nowhere.example", id="m1").status_code == 200
        assert send(foreign_app, id="m1").status_code == 202
        assert state(foreign_app, "m1") == "confirmed"

    def test_a_repetition_that_is_not_taken_leaves_the_outcome(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_send_limit="10000")
        assert send(app, id="m1").status_code == 202
        assert send(app, id="m1", body="x" * 10_000).status_code == 413
        assert state(app, "m1") == "confirmed"
        assert send(app, id="m2", body="x" * 10_000).status_code == 413
        assert state(app, "m2") == ""

    def test_one_without_recipient_is_for_the_account_itself(self, foreign_app: ForeignApp) -> None:
        assert foreign_app.ask("POST", "/rest", json={"body": "Note"}).status_code == 202
        assert [message.get("to") for message in sent(foreign_app)] == [None]

    def test_a_late_refusal_and_a_receipt_become_the_outcome(self, foreign_app: ForeignApp) -> None:
        jid = foreign_app.log_in()
        for identifier in ("m1", "m2"):
            send(foreign_app, id=identifier)
        foreign_app.server.send("romeo", f"<message from='{BENVOLIO}' to='{jid}' type='error' id='m1'><error type='cancel'/></message>")
        foreign_app.server.send(
            "romeo", f"<message from='{BENVOLIO}/x' to='{jid}' id='r'><received xmlns='urn:xmpp:receipts' id='m2'/></message>"
        )
        until(lambda: (state(foreign_app, "m1"), state(foreign_app, "m2")) == ("refused", "delivered"))

    def test_nobody_else_is_told_of_a_message(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(rest_credentials="Bearer parting-is-such-sweet-sorrow")
        session = app.log_in()
        message = {"kind": "message", "to": f"benvolio@{MONTAGUE}", "body": "Good morrow, cousin.", "id": "morrow"}
        assert app.ask("POST", "/rest", json=message).status_code == 202
        assert app.ask("GET", "/rest/outcome/morrow").get_json()["state"] == "confirmed"
        for sender in (session.bare, session):
            component = {"Authorization": "Bearer parting-is-such-sweet-sorrow"}
            answer = app.client.get("/rest/outcome/morrow", query_string={"from": str(sender)}, headers=component)
            assert answer.status_code == 404

    def test_what_strangers_say_of_a_message_does_not_count(self, foreign_app: ForeignApp) -> None:
        jid = foreign_app.log_in()
        for identifier in ("m1", "m2"):
            send(foreign_app, id=identifier)
        stranger = f"mercutio@{MONTAGUE}/x"
        foreign_app.server.send("romeo", f"<message from='{stranger}' to='{jid}' type='error' id='m1'><error type='cancel'/></message>")
        foreign_app.server.send(
            "romeo", f"<message from='{stranger}' to='{jid}' id='r'><received xmlns='urn:xmpp:receipts' id='m2'/></message>"
        )
        foreign_app.server.send("romeo", f"<message from='{MONTAGUE}' to='{jid}' type='error' id='m2'><error type='cancel'/></message>")
        until(lambda: state(foreign_app, "m2") == "refused")
        assert state(foreign_app, "m1") == "confirmed"

    def test_prefer_wait_tells_the_state(self, foreign_app: ForeignApp) -> None:
        answer = send(foreign_app, headers=WAITING)
        assert (answer.status_code, answer.headers["Stanza-Outcome"], answer.headers["Preference-Applied"]) == (202, "confirmed", "wait=20")
        assert send(foreign_app, headers=WAITING, to="nobody@nowhere.example").status_code == 200
        with foreign_app.server.frozen():
            answer = send(foreign_app, headers={"Prefer": "wait=0"}, id="m1")
            assert (answer.status_code, answer.headers["Stanza-Outcome"] in ("accepted", "written")) == (202, True)
        until(lambda: state(foreign_app, "m1") == "confirmed")

    def test_too_long_for_the_server(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_send_limit="10000")
        answer = send(app, body="x" * 10_000, id="m1")
        assert (answer.status_code, answer.get_json()["error"]["text"]) == (413, "The stanza is larger than 10000 bytes")
        assert state(app, "m1") == ""
        assert not sent(app)

    def test_a_name_is_no_address(self, foreign_app: ForeignApp) -> None:
        answer = send(foreign_app, to="benvolio")
        assert answer.status_code == 422
        assert f"did you mean benvolio@{MONTAGUE}?" in answer.get_json()["error"]["text"] + str(answer.get_json())
        assert send(foreign_app, id="x" * 2000).status_code == 422

    def test_several_recipients(self, foreign_app: ForeignApp) -> None:
        answer = send(foreign_app, to=[BENVOLIO, "a@nowhere.example"], id="m")
        assert answer.status_code == 202
        assert [each["outcome"] for each in answer.get_json()["results"]] == ["accepted", "refused"]
        waited = send(foreign_app, to=[BENVOLIO], headers=WAITING).get_json()["results"]
        assert waited[0]["state"] == "confirmed"
        with foreign_app.server.frozen():
            answer = send(foreign_app, to=[BENVOLIO], headers={"Prefer": "wait=0"})
            assert answer.get_json()["results"][0]["state"] in ("accepted", "written")

    def test_one_key_sends_once_for_each_account(self, foreign_app: ForeignApp) -> None:
        key = {"Idempotency-Key": "k1"}
        first, again = (send(foreign_app, headers=key) for _ in range(2))
        assert [answer.status_code for answer in (first, again)] == [202, 202]
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Stanza-Id"] == first.headers["Stanza-Id"]
        assert send(foreign_app, "benvolio", headers=key).headers.get("Idempotent-Replayed") is None
        assert [len(foreign_app.server.received(user, "message")) for user in ("romeo", "benvolio")] == [1, 1]

    def test_the_client_api_waits_for_the_barrier(self, foreign_app: ForeignApp) -> None:
        for to in (BENVOLIO, "nobody@nowhere.example"):
            answer = foreign_app.ask("POST", "/api/messages", json={"to": to, "body": "Hark"})
            assert (answer.status_code, answer.get_json().keys()) == (200, {"id"})
        assert len(pings(foreign_app)) == 2


class TestOrder:
    def test_messages_come_in_the_order_of_their_answers(self, foreign_app: ForeignApp) -> None:
        for n in range(20):
            send(foreign_app, body=str(n))
        assert [message.findtext("body") for message in sent(foreign_app)] == [str(n) for n in range(20)]

    def test_of_a_batch(self, foreign_app: ForeignApp) -> None:
        lines: list[dict[str, Any]] = [{"to": BENVOLIO, "body": str(n), "id": f"m{n}"} for n in range(130)]
        lines[7]["to"] = "nobody@nowhere.example"
        lines[20]["to"] = "benvolio"
        lines.insert(100, {"kind": "iq", "type": "get", "ping": True, "id": "i"})
        answer = foreign_app.ask("POST", "/rest", data="\n".join(map(json.dumps, lines)), headers=NDJSON)
        results = [json.loads(line) for line in answer.text.splitlines()]
        assert [result["line"] for result in results] == list(range(1, 132))
        assert {n: result["outcome"] for n, result in enumerate(results) if result["outcome"] != "accepted"} == {
            7: "refused",
            20: "error",
            100: "answered",
        }
        bodies = [message.findtext("body") for message in sent(foreign_app)]
        assert bodies == [str(n) for n in range(130) if n != 20]
        assert 2 <= len(pings(foreign_app)) <= 4  # two for the lines before the iq, which is one, and one for those behind it
        assert state(foreign_app, "m129") == "confirmed"

    def test_what_cannot_be_sent_is_refused_alone(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_send_limit="10000")
        lines = [{"to": BENVOLIO, "body": body} for body in ("one", "x" * 10_000, "two")]
        answer = app.ask("POST", "/rest", data="\n".join(map(json.dumps, lines)), headers=NDJSON)
        results = [json.loads(line) for line in answer.text.splitlines()]
        assert [result["outcome"] for result in results] == ["accepted", "error", "accepted"]
        assert results[1]["code"] == 413
        assert [message.findtext("body") for message in sent(app)] == ["one", "two"]

    def test_no_more_waits_than_may(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_queue_size="10", sessions_confirm_timeout="0.2")
        app.log_in()
        lines = "\n".join(json.dumps({"to": BENVOLIO, "body": str(n)}) for n in range(20))
        with app.server.frozen():
            results = [json.loads(line) for line in app.ask("POST", "/rest", data=lines, headers=NDJSON).text.splitlines()]
        taken = [result["outcome"] for result in results].index("error")
        assert 5 <= taken <= 10  # what else waits counts too
        assert [result.get("code") for result in results] == [None] * taken + [503] * (20 - taken)


class TestBreaks:
    def test_a_silent_server_is_not_waited_for_any_longer(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_confirm_timeout="0.2")
        app.log_in()
        with app.server.frozen():
            assert send(app, id="m1").status_code == 202
            assert state(app, "m1") == "written"
        until(lambda: state(app, "m1") == "confirmed")

    def test_a_message_waits_for_the_session_to_be_resumed(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        foreign_app.server.cut()
        assert send(foreign_app, id="m1").status_code == 202
        assert state(foreign_app, "m1") == "confirmed"
        assert len(sent(foreign_app)) == 1

    def test_who_waits_too_long_for_that_is_told_so(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_confirm_timeout="0.5")
        app.log_in()
        app.server.freeze()
        threading.Thread(target=lambda: send(app, id="m0")).start()  # what makes the session worth resuming
        until(lambda: state(app, "m0") == "written")
        app.server.refuses = True
        app.server.cut()
        app.server.thaw()
        answer = send(app, id="m1")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.get_json()["error"]["text"] == f"The session at {MONTAGUE} broke off; try again"
        assert state(app, "m1") == "accepted"
        assert send(app, id="m2", headers={"Prefer": "wait=0"}).headers["Stanza-Outcome"] == "accepted"
        several = send(app, to=[BENVOLIO, f"mercutio@{MONTAGUE}"])
        assert (several.status_code, [each["outcome"] for each in several.get_json()["results"]]) == (503, ["unknown"] * 2)
        app.server.refuses = False
        until(lambda: state(app, "m2") == "confirmed", 60)
        assert state(app, "m1") == "confirmed"

    def test_a_key_sends_nothing_again_that_may_arrive_yet(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_confirm_timeout="0.5")
        app.log_in()
        app.server.freeze()
        threading.Thread(target=lambda: send(app, id="m0")).start()  # what makes the session worth resuming
        until(lambda: state(app, "m0") == "written")
        app.server.refuses = True
        app.server.cut()
        app.server.thaw()
        answers = [send(app, body="once", headers={"Idempotency-Key": "k"}) for _ in range(2)]
        assert [(answer.status_code, "Idempotent-Replayed" in answer.headers) for answer in answers] == [(503, False), (503, True)]
        app.server.refuses = False
        until(lambda: send(app, id="m1").status_code == 202, 60)  # behind it
        assert [message.findtext("body") for message in sent(app)].count("once") == 1

    def test_a_session_that_ends_still_hears_what_is_refused(self, foreign_app: ForeignApp, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("xmpp_rest.link.c2s.session.CONFIRMS_WITHIN", 60)
        foreign_app.log_in()
        held: list[Element] = []

        def hold(session: FakeSession, stanza: Element) -> bool:
            held.append(stanza)
            return True

        foreign_app.server.handlers.append(hold)
        answers: list[TestResponse] = []
        waiting = threading.Thread(target=lambda: answers.append(send(foreign_app, id="m1")))
        waiting.start()
        foreign_app.server.until(lambda: len(held) == 2)
        assert foreign_app.ask("DELETE", "/rest/session").status_code == 204
        message, ping = held
        session = foreign_app.server.session("romeo")
        for answer in (refusal(message, stanza_error("forbidden")), result(ping)):
            foreign_app.server.call(lambda answer=answer: session.send(answer))  # type: ignore[misc]
        waiting.join(60)
        assert (answers[0].status_code, answers[0].get_json()["error"]["condition"]) == (200, "forbidden")

    def test_what_nobody_knows_is_lost_and_may_be_sent_again(self, foreign_app: ForeignApp) -> None:
        foreign_app.server.mechanisms = ["PLAIN"]  # no keys, so that nobody can log in again
        foreign_app.log_in()
        foreign_app.server.freeze()
        answers: list[TestResponse] = []
        waiting = threading.Thread(target=lambda: answers.append(send(foreign_app, id="m1")))
        waiting.start()
        until(lambda: state(foreign_app, "m1") == "written")
        foreign_app.server.cut()
        waiting.join(60)
        foreign_app.server.thaw()
        assert answers[0].status_code == 503
        assert state(foreign_app, "m1") == "lost"
        assert send(foreign_app, id="m1").status_code == 202
        assert state(foreign_app, "m1") == "confirmed"

    def test_requests_that_wait_for_a_session_that_ends(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        foreign_app.server.handlers.append(lambda _, stanza: stanza.get("to") == "silent.example")
        answers: list[TestResponse] = []
        ask = {"kind": "iq", "type": "get", "ping": True, "to": "silent.example", "id": "i1"}
        waiting = threading.Thread(target=lambda: answers.append(foreign_app.ask("POST", "/rest", json=ask)))
        waiting.start()
        foreign_app.server.until(lambda: [iq for iq in sent(foreign_app, "iq") if iq.get("to") == "silent.example"])
        assert foreign_app.ask("DELETE", "/rest/session").status_code == 204
        waiting.join(60)
        assert (answers[0].status_code, answers[0].get_json()["error"]["text"]) == (503, f"The session at {MONTAGUE} broke off; try again")

    def test_an_iq_of_a_session_that_was_bound_anew_is_not_waited_for(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        foreign_app.ask("POST", "/rest", json={"kind": "presence"})  # makes it worth resuming
        foreign_app.server.handlers.append(lambda _, stanza: stanza.get("to") == "silent.example")
        answers: list[TestResponse] = []
        ask = {"kind": "iq", "type": "get", "ping": True, "to": "silent.example", "id": "i1"}
        waiting = threading.Thread(target=lambda: answers.append(foreign_app.ask("POST", "/rest", json=ask)))
        waiting.start()
        foreign_app.server.until(lambda: [iq for iq in sent(foreign_app, "iq") if iq.get("to") == "silent.example"])
        foreign_app.server.restart()
        waiting.join(60)
        assert answers[0].status_code == 503


class TestPresence:
    def test_its_own_one_is_kept_and_repeated(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        own = {"kind": "presence", "show": "dnd", "priority": 7, "id": "p1"}
        assert foreign_app.ask("POST", "/rest", json=own).status_code == 202
        assert state(foreign_app, "p1") == "confirmed"
        assert foreign_app.ask("GET", "/rest/session").get_json()["presence"] == "own"
        foreign_app.server.restart()
        foreign_app.server.until(lambda: len(foreign_app.server.logins) == 2 and sent(foreign_app, "presence"))
        (presence,) = foreign_app.server.session("romeo").received[:1]
        assert (presence.tag, presence.findtext("show"), presence.findtext("priority"), presence.get("to")) == (
            "presence",
            "dnd",
            "7",
            None,
        )
        assert foreign_app.ask("POST", "/rest", json={"kind": "presence", "type": "unavailable"}).status_code == 202
        assert foreign_app.ask("GET", "/rest/session").get_json()["presence"] == "none"

    def test_one_to_somebody_is_not(self, foreign_app: ForeignApp) -> None:
        assert foreign_app.ask("POST", "/rest", json={"kind": "presence", "to": BENVOLIO}).status_code == 202
        assert foreign_app.ask("GET", "/rest/session").get_json()["presence"] == "none"

    def test_that_of_a_former_session_does_not_take_that_of_the_next_one(self, foreign_app: ForeignApp) -> None:
        """A session is left politely, which takes a moment."""
        for _ in range(3):
            foreign_app.ask("POST", "/rest", json={"kind": "presence"})
            assert foreign_app.ask("DELETE", "/rest/session").status_code == 204
            assert foreign_app.ask("GET", "/rest/session").get_json()["presence"] == "none"
        foreign_app.ask("POST", "/rest", json={"kind": "presence"})
        foreign_app.server.until(lambda: len(foreign_app.server.sessions) == 1)
        assert foreign_app.ask("POST", "/rest", json={"kind": "iq", "type": "get", "ping": True}).status_code == 200
        assert foreign_app.ask("GET", "/rest/session").get_json()["presence"] == "own"

    def test_it_ends_with_the_session(self, foreign_app: ForeignApp) -> None:
        foreign_app.ask("POST", "/rest", json={"kind": "presence"})
        foreign_app.ask("DELETE", "/rest/session")
        assert foreign_app.ask("GET", "/rest/session").get_json()["presence"] == "none"


class TestQueries:
    def test_of_the_own_account(self, foreign_app: ForeignApp) -> None:
        for query, told in (("ping", "result"), ("disco", "urn:xmpp:ping")):
            answer = foreign_app.ask("GET", f"/rest/{query}/")
            assert (answer.status_code, told in answer.text) == (200, True)

    @pytest.mark.parametrize("own", [True, False])
    def test_answers_without_sender(self, foreign_app: ForeignApp, own: bool) -> None:
        def answer(session: FakeSession, stanza: Element) -> bool:
            is_asked = stanza.tag == "iq" and stanza.get("id") == "i1"
            if is_asked:
                session.send(make("iq", type_="result", id_="i1", to_=str(session.jid), from_=str(session.jid.bare) if own else None))
            return is_asked

        foreign_app.server.handlers.append(answer)
        asked = foreign_app.ask("POST", "/rest", json={"kind": "iq", "type": "get", "ping": True, "id": "i1"})
        assert (asked.status_code, asked.get_json()["type"]) == (200, "result")

    def test_results_of_the_archive_come_before_the_answer(self, foreign_app: ForeignApp) -> None:
        def archive(session: FakeSession, stanza: Element) -> bool:
            query = stanza.find(f"{{{MAM}}}query")
            if query is None:
                return False
            number = f"queryid='{query.get('queryid')}'" if "queryid" in query.attrib else ""
            inner = f"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='{BENVOLIO}' to='{ROMEO}'><body>Hark</body></message></forwarded>"
            for sender in (BENVOLIO, str(session.jid.bare)):  # only the account's own archive counts
                session.send(
                    f"<message from='{sender}' to='{session.jid}'><result xmlns='{MAM}' {number} id='1'>{inner}</result></message>"
                )
            session.send(result(stanza, child(f"{{{MAM}}}fin", complete="true")))
            return True

        foreign_app.server.handlers.append(archive)
        answer = foreign_app.ask("GET", "/rest/archive/", headers={"Accept": "application/xmpp+xml"})
        assert answer.status_code == 200
        assert answer.text.count("<result ") == 1
        assert answer.text.index("<result ") < answer.text.index("<fin ")

    def test_no_more_results_of_an_archive_than_were_asked_for(self, foreign_app: ForeignApp) -> None:
        def archive(session: FakeSession, stanza: Element) -> bool:
            query = stanza.find(f"{{{MAM}}}query")
            if query is None:
                return False
            number = f"queryid='{query.get('queryid')}'" if "queryid" in query.attrib else ""
            for n in range(5):
                session.send(f"<message to='{session.jid}'><result xmlns='{MAM}' {number} id='{n}'/></message>")
            session.send(result(stanza, child(f"{{{MAM}}}fin", complete="true")))
            return True

        foreign_app.server.handlers.append(archive)
        answer = foreign_app.ask("GET", "/rest/archive/?max=2", headers={"Accept": "application/xmpp+xml"})
        assert (answer.status_code, answer.text.count("<result ")) == (200, 2)

    def test_results_of_an_archive_are_bounded_by_what_they_take(self, foreign_app: ForeignApp, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("xmpp_rest.link.pending.Pending.MAX_SIZE", 400_000)

        def archive(session: FakeSession, stanza: Element) -> bool:
            if stanza.find(f"{{{MAM}}}query") is None:
                return False
            small = "<a/>" * 5000  # 20 kB as text
            session.send(f"<message to='{session.jid}'><result xmlns='{MAM}' id='1'>{small}</result></message>")
            session.send(result(stanza, child(f"{{{MAM}}}fin", complete="true")))
            return True

        foreign_app.server.handlers.append(archive)
        query = f"<iq type='set'><query xmlns='{MAM}'/></iq>"
        answer = foreign_app.ask("POST", "/rest", data=query, headers={"Content-Type": "application/xmpp+xml"})
        assert (answer.status_code, "more than can be held" in answer.text) == (500, True)

    def test_a_session_is_in_use_while_an_answer_is_due(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_total="1", sessions_idle="1")
        app.log_in()
        held: list[Element] = []
        app.server.handlers.append(lambda _, stanza: stanza.get("to") == BENVOLIO and not held.append(stanza))
        answers: list[TestResponse] = []
        ask = {"kind": "iq", "type": "get", "ping": True, "to": BENVOLIO}
        waiting = threading.Thread(target=lambda: answers.append(app.ask("POST", "/rest", json=ask)))
        waiting.start()
        app.server.until(lambda: held)
        assert app.ask("GET", "/rest/session", "benvolio").status_code == 503
        session = app.gateway.parts.foreign_accounts.session(ROMEO)
        until(lambda: session.idle > 2)  # twice as long as an unused one is kept
        assert not session.has_ended
        app.server.send("romeo", result(held[0]))
        waiting.join(60)
        assert (answers[0].status_code, answers[0].get_json()["type"]) == (200, "result")
        until(lambda: session.has_ended)

    def test_a_forged_answer_is_none(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(rest_iq_timeout="1")

        def forge(session: FakeSession, stanza: Element) -> bool:
            is_asked = stanza.tag == "iq" and stanza.get("to") == BENVOLIO
            if is_asked:
                session.send(make("iq", type_="result", id_=stanza.get("id"), to_=str(session.jid), from_=f"mercutio@{MONTAGUE}"))
            return is_asked

        app.server.handlers.append(forge)
        answer = app.ask("POST", "/rest", json={"kind": "iq", "type": "get", "ping": True, "to": BENVOLIO})
        assert (answer.status_code, answer.get_json()["error"]["text"]) == (500, "IQ stanza timed out")

    def test_an_error_is_an_answer(self, foreign_app: ForeignApp) -> None:
        def refuse(session: FakeSession, stanza: Element) -> bool:
            is_asked = stanza.tag == "iq" and stanza.get("to") == BENVOLIO
            if is_asked:
                session.send(refusal(stanza, stanza_error("forbidden")))
            return is_asked

        foreign_app.server.handlers.append(refuse)
        answer = foreign_app.ask("POST", "/rest", json={"kind": "iq", "type": "get", "ping": True, "to": BENVOLIO})
        assert (answer.status_code, answer.get_json()["error"]["condition"]) == (200, "forbidden")
