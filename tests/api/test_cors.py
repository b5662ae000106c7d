"""One policy says which web pages may read the answers of all APIs (Fetch §3.2), on every answer that there is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.conftest import DOMAIN, PASSWORD, SHARED, MakeApp, basic, build_app
from tests.raising import raising
from xmpp_rest.application import create_app
from xmpp_rest.config.load import SettingsError, load_settings

PAGE, OTHER = "https://app.example", "https://other.example"
ADMIN = basic(f"admin@{DOMAIN}")
APIS = ["/rest", "/rest/stream", "/rest/ping/x", f"/data/{DOMAIN}/admin/x", "/api/messages", "/api/sse", "/api/status", "/api/status/v1", "/oauth/token"]
WANTED = {"authorization", "content-type", "last-event-id", "idempotency-key", "prefer", "cache-control", "prosody-rest-timeout"}
EXPOSED = {"stanza-id", "retry-after", "etag", "location", "link"}


def words(response: TestResponse, name: str) -> set[str]:
    return {word.strip().lower() for word in response.headers[f"Access-Control-{name}"].split(",")}


def preflight(client: FlaskClient, path: str, origin: str = PAGE) -> TestResponse:
    fields = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,last-event-id"}
    return client.options(path, headers=fields)


@SHARED
@pytest.mark.parametrize("path", APIS)
def test_a_preflight_allows_what_clients_send(client: FlaskClient, path: str) -> None:
    answer = preflight(client, path)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] in (PAGE, "*")
    assert words(answer, "Allow-Headers") >= WANTED
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.fixture(scope="module")
def listed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Of an application that lists the origins `param`, and is not changed."""
    app = build_app(tmp_path_factory.mktemp("listed"), server_origins=request.param)
    yield app.test_client()
    app.extensions["gateway"].stop()


@pytest.mark.parametrize("listed", [f"{PAGE}, app://x"], indirect=True)
@pytest.mark.parametrize("path", APIS)
def test_a_listed_page_may_come_with_credentials_and_no_other(listed: FlaskClient, path: str) -> None:
    answer = preflight(listed, path)
    assert (answer.headers["Access-Control-Allow-Origin"], answer.headers["Access-Control-Allow-Credentials"]) == (PAGE, "true")
    for other in (OTHER, "null", "https://app.example.evil", "http://app.example", "*"):
        refused = preflight(listed, path, other)
        assert not [name for name, _ in refused.headers if name.startswith("Access-Control-Allow-Origin")], other
        assert "Access-Control-Allow-Credentials" not in refused.headers
        assert "Origin" in refused.headers["Vary"]


def test_a_listed_page_beside_any_other(make_app: MakeApp) -> None:
    client = make_app(server_origins=f"*, {PAGE}").test_client()
    assert preflight(client, "/rest").headers["Access-Control-Allow-Credentials"] == "true"
    other = preflight(client, "/rest", OTHER)
    assert other.headers["Access-Control-Allow-Origin"] == OTHER
    assert "Access-Control-Allow-Credentials" not in other.headers


@pytest.mark.parametrize("listed", [""], indirect=True)
@pytest.mark.parametrize("path", APIS)
def test_no_origins_let_nobody_in(listed: FlaskClient, path: str) -> None:
    for headers in ({"Origin": PAGE}, {}):
        assert "Access-Control-Allow-Origin" not in listed.options(path, headers=headers).headers


ERRORS = [
    ("POST", "/rest", {}, b"", 401),
    ("POST", "/rest", {"Authorization": "Basic x"}, b"", 401),
    ("GET", "/rest/nonsense", ADMIN, b"", 400),
    ("GET", "/rest/outcome/none", ADMIN, b"", 404),
    ("PUT", "/rest", ADMIN, b"", 405),
    ("POST", "/rest", ADMIN, b"x" * 200_000, 413),
    ("POST", "/rest/files", {}, b"", 401),
    ("POST", "/rest/files", ADMIN, b"", 422),
    ("GET", "/rest/files/none", ADMIN, b"", 404),
    ("GET", "/data/x", {}, b"", 401),
    ("GET", f"/data/{DOMAIN}/admin/none", ADMIN, b"", 404),
    ("PATCH", f"/data/{DOMAIN}/admin/none", ADMIN, b"", 405),
    ("GET", "/api/messages", {}, b"", 401),
    ("GET", "/api/rooms/none", ADMIN, b"", 404),
    ("PUT", "/api/messages", ADMIN, b"", 405),
    ("GET", "/api/sse", {}, b"", 401),
    ("GET", "/api/nonsense", ADMIN, b"", 404),
    ("GET", "/api/stats", ADMIN, b"", 400),
    ("GET", "/api/stats?name=registeredusers", basic(f"admin@{DOMAIN}", "wrong"), b"", 401),
    ("GET", "/oauth/none", {}, b"", 404),
    ("GET", "/oauth/token", {}, b"", 405),
    ("POST", "/oauth/token", {}, b"", 415),
    ("BREW", "/rest/stream", {}, b"", 405),
    ("GET", "/status", {}, b"", 401),
]


@pytest.mark.parametrize("listed", [PAGE], indirect=True)
@pytest.mark.parametrize(("method", "path", "fields", "body", "status"), ERRORS)
def test_an_error_can_be_read_like_an_answer(listed: FlaskClient, method: str, path: str, fields: dict[str, str], body: bytes, status: int) -> None:
    answer = listed.open(path, method=method, headers=fields | {"Origin": PAGE}, data=body)
    status = 403 if fields.get("Authorization") == "Basic x" and answer.status_code == 403 else status
    assert answer.status_code == status
    assert answer.headers.getlist("Access-Control-Allow-Origin") == [PAGE]
    assert words(answer, "Expose-Headers") >= EXPOSED
    assert answer.headers["Vary"].split(", ").count("Origin") == 1


@pytest.mark.parametrize(("path", "status"), [("/rest", 429), ("/api/messages", 429), ("/api/status", 429), ("/status", 429)])
def test_a_429_can_be_read(make_app: MakeApp, path: str, status: int) -> None:
    client = make_app(auth_failures="1").test_client()
    wrong = basic(f"admin@{DOMAIN}", "wrong") | {"Origin": PAGE}
    answers = [client.get(path, headers=wrong) if path != "/rest" else client.get("/rest/ping/x", headers=wrong) for _ in range(3)]
    assert answers[-1].status_code == status
    assert answers[-1].headers["Access-Control-Allow-Origin"] in (PAGE, "*")
    assert "retry-after" in words(answers[-1], "Expose-Headers")


def test_a_500_can_be_read(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    monkeypatch.setattr(app.extensions["gateway"].parts.sending, "outcome", raising(RuntimeError))
    answer = app.test_client().get("/rest/outcome/x", headers=ADMIN | {"Origin": PAGE})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (500, PAGE)


def test_a_503_can_be_read(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    monkeypatch.setattr(app.extensions["gateway"].parts.sending, "send", raising(StorageError("full")))
    fields = ADMIN | {"Content-Type": "application/json"}
    answer = app.test_client().post("/rest", json={"kind": "message", "to": f"admin@{DOMAIN}", "body": "x"}, headers=fields)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (503, "*")


@pytest.mark.parametrize("origin", ["https://x.example/" + "x" * 5000, "\xff", "a b"])
def test_no_more_of_an_origin_is_sent_back_than_an_origin_has(client: FlaskClient, origin: str) -> None:
    answer = client.get("/rest/ping/x", headers={"Origin": origin})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, "*")


@pytest.mark.parametrize("path", ["/rest", f"/data/{DOMAIN}/juliet/x"])
def test_each_request_has_its_own_origin(client: FlaskClient, path: str) -> None:
    origins = ["https://a.example", None, "https://b.example", "null", ""]
    fields = [{} if origin is None else {"Origin": origin} for origin in origins]
    answers = [client.options(path, headers=given).headers.getlist("Access-Control-Allow-Origin") for given in fields]
    assert answers == [["https://a.example"], ["*"], ["https://b.example"], ["null"], ["*"]]


def test_an_api_below_another_has_the_fields_once(make_app: MakeApp) -> None:
    client = make_app(client_prefix="/rest/client", server_origins="https://a.example").test_client()
    headers = client.get("/rest/client/contacts", headers=ADMIN | {"Origin": "https://a.example"}).headers
    assert headers.getlist("Access-Control-Allow-Origin") == ["https://a.example"]
    assert headers.getlist("Access-Control-Allow-Methods") == ["OPTIONS, GET, POST, PUT, DELETE"]
    assert headers.getlist("Access-Control-Allow-Credentials") == ["true"]


# the old setting


def test_the_old_setting_counts_with_a_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = tmp_path / "wsgi.ini"
    config.write_text(f"[client]\norigins = {PAGE}\n[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n", "utf-8")
    with caplog.at_level(logging.WARNING):
        app = create_app(str(config))
    try:
        assert preflight(app.test_client(), "/rest").headers["Access-Control-Allow-Credentials"] == "true"
        assert "Access-Control-Allow-Origin" not in preflight(app.test_client(), "/rest", OTHER).headers
    finally:
        app.extensions["gateway"].stop()
    (line,) = [r.getMessage() for r in caplog.records if "origins" in r.getMessage()]
    assert f"{config}: [client] origins is now [server] origins" in line


def test_the_old_setting_in_the_environment(tmp_path: Path) -> None:
    settings = load_settings(None, {"XMPP_REST_CLIENT_ORIGINS": PAGE})
    assert settings.server.origins == {PAGE}
    assert settings.notices[0].startswith("XMPP_REST_CLIENT_ORIGINS is now [server] origins")


def test_old_and_new_setting_together_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "wsgi.ini"
    config.write_text(f"[server]\norigins = {PAGE}\n[client]\norigins = *\n", "utf-8")
    with pytest.raises(SettingsError, match=r"\[client\] origins: \[server\] origins is set too"):
        load_settings(config, {})
