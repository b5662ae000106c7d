"""`/rest/session` and `/rest/sessions` (accounts-anywhere §7.1, §7.6), with a scripted server of the accounts."""

from __future__ import annotations

import pytest

from tests.conftest import PASSWORD, TOKEN, basic
from tests.foreign_app import MONTAGUE, PASSWORDS, ROMEO, ForeignApp, MakeForeignApp, foreign_app, make_foreign_app, montague_folder
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.sessions.foreign_accounts import ForeignAccounts
from xmpp_rest.service.sessions.session_views import SessionViews

__all__ = ["foreign_app", "make_foreign_app", "montague_folder"]


def test_a_session_is_opened_shown_and_ended(foreign_app: ForeignApp) -> None:
    answer = foreign_app.ask("GET", "/rest/session")
    assert answer.status_code == 200
    shown = answer.get_json()
    jid = parse_jid(shown.pop("jid"))
    assert jid.bare == ROMEO
    assert jid.resource.startswith("xmpp-rest-")
    assert shown.pop("since").endswith("Z")
    assert shown == {"archive": False, "presence": "none", "streams": 0, "waiting": 0, "resumable": True}
    assert foreign_app.ask("GET", "/rest/session").get_json()["jid"] == str(jid)
    assert foreign_app.server.logins == ["romeo"]
    assert foreign_app.ask("DELETE", "/rest/session").status_code == 204
    foreign_app.server.until(lambda: not foreign_app.server.sessions)
    assert foreign_app.log_in() == jid
    assert foreign_app.server.attempts == ["SCRAM-SHA-1"] * 2


def test_wrong_credentials(foreign_app: ForeignApp) -> None:
    answer = foreign_app.ask("GET", "/rest/session", password="wherefore")
    assert answer.status_code == 403
    assert answer.get_json()["error"]["text"] == "Credentials not accepted"
    assert foreign_app.ask("GET", "/api/messages", password="wherefore").status_code == 401
    assert foreign_app.server.refused == 1


@pytest.mark.parametrize("headers", [basic("juliet"), {"Authorization": TOKEN}], ids=["hosted", "component"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_others_have_no_session(foreign_app: ForeignApp, method: str, headers: dict[str, str]) -> None:
    answer = foreign_app.client.open("/rest/session", method=method, headers=headers)
    assert answer.status_code == 404
    error = answer.get_json()["error"]
    assert (error["condition"], error["text"]) == ("item-not-found", "This account has no session elsewhere")


def test_a_server_that_refuses_is_not_asked_again_for_a_moment(foreign_app: ForeignApp) -> None:
    foreign_app.server.refuses = True
    first, second = (foreign_app.ask("GET", "/rest/session") for _ in range(2))
    assert [answer.status_code for answer in (first, second)] == [503, 503]
    assert first.get_json()["error"]["text"] == f"The server of {MONTAGUE} cannot be reached; try again later"
    assert second.headers["Retry-After"] == "1"
    assert foreign_app.server.connections == 1


def test_a_session_that_ends_meanwhile(foreign_app: ForeignApp, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_app.log_in()
    with monkeypatch.context() as patch:
        patch.setattr(SessionViews, "of", lambda *_: None)
        answer = foreign_app.ask("GET", "/rest/session")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["error"]["text"] == f"The session at {MONTAGUE} broke off; try again"


def test_without_a_leader(foreign_app: ForeignApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise GatewayError("link-down")

    foreign_app.log_in()
    with monkeypatch.context() as patch:
        patch.setattr(SessionViews, "end", down)
        assert foreign_app.ask("DELETE", "/rest/session").status_code == 503
    monkeypatch.setattr(ForeignAccounts, "enter", down)
    for path in ("/rest/session", "/api/messages"):
        assert foreign_app.ask("GET", path).status_code == 503


class TestAdministrators:
    @pytest.fixture
    def app_of_nurse(self, make_foreign_app: MakeForeignApp) -> ForeignApp:
        return make_foreign_app(auth_admins="nurse@capulet.example")

    def test_all_sessions_are_listed_and_one_is_ended(self, app_of_nurse: ForeignApp) -> None:
        admin = basic("nurse", PASSWORD)
        jids = [app_of_nurse.log_in(user) for user in ("romeo", "benvolio")]
        app_of_nurse.ask("GET", "/rest/session", "mercutio", password="wrong")
        shown = app_of_nurse.client.get("/rest/sessions", headers=admin).get_json()
        assert (shown["total"], shown["max"]) == (2, 1000)
        assert [session["jid"] for session in shown["sessions"]] == sorted(map(str, jids))
        first = shown["sessions"][0]
        assert first.keys() == {"jid", "server", "tls", "since", "used", "proven", "streams", "waiting", "presence"}
        assert (first["server"], first["tls"]) == (f"127.0.0.1:{app_of_nurse.server.direct_port}", "TLSv1.3")
        assert shown["domains"] == [{"domain": MONTAGUE, "failures": 1, "paused": 0, "retry_in": 0}]
        assert not [secret for secret in PASSWORDS.values() if secret in str(shown)]
        assert app_of_nurse.client.delete(f"/rest/sessions/{ROMEO}", headers=admin).status_code == 204
        for path in (ROMEO, "@@"):
            again = app_of_nurse.client.delete(f"/rest/sessions/{path}", headers=admin)
            assert (again.status_code, again.get_json()["error"]["text"]) == (404, "There is no session of this account")
        assert app_of_nurse.client.get("/rest/sessions", headers=admin).get_json()["total"] == 1

    def test_preflights_need_no_credentials(self, app_of_nurse: ForeignApp) -> None:
        for path in ("/rest/session", "/rest/sessions", f"/rest/sessions/{ROMEO}"):
            assert app_of_nurse.client.options(path).status_code == 200

    def test_nobody_else_may(self, app_of_nurse: ForeignApp) -> None:
        for headers in (basic("juliet", PASSWORD), app_of_nurse.auth(), app_of_nurse.auth(password="wrong")):
            for method, path in (("GET", "/rest/sessions"), ("DELETE", f"/rest/sessions/{ROMEO}")):
                answer = app_of_nurse.client.open(path, method=method, headers=headers)
                assert (answer.status_code, answer.get_json()["error"]["text"]) == (403, "Only administrators may do this")
        assert not app_of_nurse.server.connections
