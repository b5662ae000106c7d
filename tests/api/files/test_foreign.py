"""Files by the upload service of a server (files §5)."""

from __future__ import annotations

import errno
import io
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.files.webserver import Page, WebServer, serving
from tests.conftest import PASSWORD, MakeApp, basic, register_users
from tests.link.fake import attach
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, UPLOAD
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import refusal, result

ROMEO = "romeo@montague.example"
SERVICE = "upload.example"
FORM = f"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>{UPLOAD}</value></field><field var='max-file-size'><value>1000</value></field></x>"
INFO = f"<query xmlns='{DISCO_INFO}'><identity category='store' type='file'/><feature var='{UPLOAD}'/>{FORM}</query>"
OTHER = f"<query xmlns='{DISCO_INFO}'><feature var='x'/></query>"
ITEMS = f"<query xmlns='{DISCO_ITEMS}'>" + "".join(f"<item jid='{j}'/>" for j in ("muc.example", SERVICE, "capulet.example")) + "</query>"


class Server:
    """The server beside the gateway: answers iqs from another thread, as a stream does."""

    def __init__(self, app: Flask) -> None:
        self._router = app.extensions["gateway"].parts.router
        self.messages: list[Element] = []
        self.asked: list[Element] = []
        self.answers: dict[tuple[str, str], Callable[[Element], Element] | str] = {
            ("example", "query"): ITEMS, ("muc.example", "query"): OTHER, (SERVICE, "query"): INFO,
        }  # fmt: skip
        attach(self._router, self._out)

    def _out(self, _: str, stanza: Element) -> None:
        if stanza.tag != "iq":
            self.messages.append(stanza)
            return
        self.asked.append(stanza)
        answer = self.answers.get((stanza.attrib["to"], stanza[0].tag.rpartition("}")[2]))
        if answer is not None:
            said = answer(stanza) if callable(answer) else result(stanza, parse_stored(answer))
            threading.Thread(
                target=self._router.resolve, args=(said, parse_jid(stanza.attrib["to"]), parse_jid(stanza.attrib["from"]))
            ).start()

    def slots(self, put: str, get: str, headers: str = "") -> None:
        self.answers[SERVICE, "request"] = f"<slot xmlns='{UPLOAD}'><put url='{put}'>{headers}</put><get url='{get}'/></slot>"

    def refuses(self, error: StanzaError, more: str = "") -> None:
        def refuse(iq: Element) -> Element:
            answer = refusal(iq, error)
            if more:
                answer.find("error").append(parse_stored(more))  # type: ignore[union-attr]
            return answer

        self.answers[SERVICE, "request"] = refuse


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return register_users(make_app(gateway_domain="capulet.example", files_domain="", rest_iq_timeout="5"))


@pytest.fixture
def server(app: Flask) -> Server:
    return Server(app)


def post(client: FlaskClient, data: bytes = b"rose", **query: Any) -> TestResponse:
    return client.post(
        "/rest/files",
        data=data,
        query_string={"to": ROMEO, "name": "a b.png"} | query,
        headers=basic("juliet") | {"Content-Type": "image/png"},
    )


def test_a_file_goes_to_the_first_service_of_the_parent(client: FlaskClient, server: Server, web: WebServer) -> None:
    header = (
        "<header name='authorization'>Basic a&#10;bc</header><header name='X-Evil'>x</header><header name='Cookie&#13;&#10;'>c=d</header>"
    )
    server.slots(web.url("/put/a%20b.png"), "https://upload.example/get/a_b.png", header)
    web.pages["/put/a%20b.png"] = Page(201)
    answer = post(client)
    assert answer.status_code == 201, answer.text
    said = answer.json
    assert said is not None
    assert (said["url"], said["id"], said["expires"], said["name"]) == ("https://upload.example/get/a_b.png", None, None, "a b.png")
    (put,) = web.taken
    assert (put.method, put.body) == ("PUT", b"rose")
    assert (put.fields["content-length"], put.fields["content-type"]) == ("4", "image/png")
    assert (put.fields["authorization"], put.fields["cookie"]) == ("Basic abc", "c=d")
    assert "x-evil" not in put.fields
    assert [m.findtext("body") for m in server.messages] == [said["url"]]
    request = next(iq for iq in server.asked if iq[0].tag == f"{{{UPLOAD}}}request")
    assert (request.get("from"), dict(request[0].attrib)) == (
        "juliet@capulet.example",
        {"filename": "a b.png", "size": "4", "content-type": "image/png"},
    )
    before = len(server.asked)
    assert post(client).status_code == 201
    assert len(server.asked) == before + 1  # the service is remembered
    assert client.get("/rest/files", headers=basic("juliet")).json["files"] == []  # type: ignore[index]


def test_a_silent_item_is_not_waited_for_longer_than_all(
    client: FlaskClient, server: Server, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmpp_rest.service.files.foreign_service.PATIENCE", 0.5)
    server.answers["example", "query"] = ITEMS.replace("<item", "<item jid='silent.example'/><item", 1)
    server.slots(web.url("/put"), "https://upload.example/x")
    web.pages["/put"] = Page(201)
    assert post(client).status_code == 201


def test_its_bound_is_looked_at_before(client: FlaskClient, server: Server) -> None:
    answer = post(client, b"x" * 1001)
    assert answer.status_code == 413
    assert answer.json["max_size"] == 1000  # type: ignore[index]
    assert not [iq for iq in server.asked if iq[0].tag == f"{{{UPLOAD}}}request"]


def test_there_is_none(client: FlaskClient, server: Server) -> None:
    server.answers = {("example", "query"): f"<query xmlns='{DISCO_ITEMS}'/>"}
    answer = post(client)
    assert answer.status_code == 501
    assert "no upload service was found at example" in answer.json["detail"].lower()  # type: ignore[index]
    assert server.messages == []


TOO_LARGE = f"<file-too-large xmlns='{UPLOAD}'><max-file-size>3</max-file-size></file-too-large>"
RETRY = f"<retry xmlns='{UPLOAD}' stamp='2020-01-01T00:00:00Z'/>"


@pytest.mark.parametrize(
    ("error", "more", "status", "members"),
    [
        (StanzaError("auth", "forbidden", "Access denied by service policy"), "", 403, {}),
        (StanzaError("cancel", "not-allowed"), "", 403, {}),
        (StanzaError("modify", "not-acceptable"), TOO_LARGE, 413, {"max_size": 3}),
        (StanzaError("wait", "resource-constraint"), RETRY, 429, {}),
        (StanzaError("wait", "resource-constraint"), "", 429, {}),
        (StanzaError("wait", "resource-constraint"), f"<retry xmlns='{UPLOAD}' stamp='soon'/>", 429, {}),
        (StanzaError("modify", "not-acceptable"), TOO_LARGE.replace(">3<", ">x<"), 502, {"condition": "not-acceptable"}),
        (StanzaError("wait", "remote-server-timeout"), "", 504, {}),
        (StanzaError("cancel", "service-unavailable", "Not today"), "", 502, {}),
    ],
)
def test_what_it_refuses(error: StanzaError, more: str, status: int, members: dict[str, Any], client: FlaskClient, server: Server) -> None:
    server.refuses(error, more)
    answer = post(client, caption="Look")
    assert answer.status_code == status, answer.text
    assert answer.json is not None
    assert answer.json.items() >= members.items()
    if status == 403:
        assert "http_file_share_access" in answer.json["detail"]
        assert SERVICE in answer.json["detail"]
    if status == 429:
        assert answer.headers["Retry-After"] == ("1" if "2020" in more else "60")
    assert server.messages == []


def test_a_put_that_fails(client: FlaskClient, server: Server, web: WebServer) -> None:
    web.pages["/moved"] = Page(302, {"Location": "/elsewhere"})
    for path, said in (("/none", "404"), ("/moved", "302")):
        server.slots(web.url(path), "https://upload.example/x")
        answer = post(client)
        assert answer.status_code == 502
        assert said in answer.json["detail"]  # type: ignore[index]
    server.slots("file:///etc/passwd", "https://upload.example/x")
    assert post(client).status_code == 502
    server.slots("http://127.0.0.1:1/", "https://upload.example/x")
    assert post(client).status_code == 502
    assert (server.messages, len(web.taken)) == ([], 2)


def test_a_put_that_is_refused_before_all_was_sent(make_app: MakeApp) -> None:
    """The service closes the connection without reading: its answer counts, not that the rest could not be sent."""
    app = register_users(make_app(gateway_domain="capulet.example", files_domain="", files_service=SERVICE))
    server = Server(app)
    server.answers[SERVICE, "query"] = INFO.replace("1000", "100000000")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(1)
                taken.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                taken.shutdown(socket.SHUT_WR)
                while taken.recv(1 << 20):  # or the answer would be lost by a reset
                    pass

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        server.slots(f"http://127.0.0.1:{listening.getsockname()[1]}/put", "https://upload.example/x")
        answer = post(app.test_client(), b"x" * (4 << 20))
        thread.join(30)
    assert answer.status_code == 502
    assert "413" in answer.json["detail"]  # type: ignore[index]
    assert server.messages == []


@pytest.mark.parametrize("url", ["http://a..b/", "http://[::1/", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
def test_a_slot_whose_url_leads_nowhere(url: str, client: FlaskClient, server: Server) -> None:
    server.slots(url, "https://upload.example/x")
    answer = post(client)
    assert (answer.status_code, server.messages) == (502, [])
    assert SERVICE in answer.json["detail"]  # type: ignore[index]


@pytest.mark.parametrize("slot", [f"<slot xmlns='{UPLOAD}'/>", f"<slot xmlns='{UPLOAD}'><put url='http://a/'/></slot>", "<x xmlns='y'/>"])
def test_an_answer_without_a_slot(slot: str, client: FlaskClient, server: Server) -> None:
    server.answers[SERVICE, "request"] = slot
    answer = post(client)
    assert (answer.status_code, server.messages) == (502, [])
    assert "has given no slot" in answer.json["detail"]  # type: ignore[index]


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 503)])
def test_a_disk_that_takes_nothing(number: int, status: int, client: FlaskClient, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: object) -> None:
        raise OSError(number, "it does not work")

    monkeypatch.setattr("xmpp_rest.service.files.foreign.tempfile.TemporaryFile", fails)
    answer = post(client)
    assert (answer.status_code, server.messages) == (status, [])
    assert not [iq for iq in server.asked if iq[0].tag == f"{{{UPLOAD}}}request"]


def test_what_has_no_length_is_counted(client: FlaskClient, server: Server, web: WebServer) -> None:
    web.pages["/put"] = Page(201)
    server.slots(web.url("/put"), "https://upload.example/x")

    def chunked(size: int) -> TestResponse:
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return client.post("/rest/files", input_stream=io.BytesIO(b"x" * size), headers=basic("juliet"), environ_overrides=environ)

    assert chunked(1000).status_code == 201
    answer = chunked(1001)
    assert (answer.status_code, answer.json["max_size"]) == (413, 1000)  # type: ignore[index]
    assert [len(put.body) for put in web.taken] == [1000]


@pytest.mark.parametrize(("last", "status", "name"), [(("name", "b.txt"), 201, "b.txt"), (("expire", "60"), 422, None)])
def test_what_a_form_says_behind_its_file(
    last: tuple[str, str], status: int, name: str | None, client: FlaskClient, server: Server, web: WebServer
) -> None:
    web.pages["/put"] = Page(201)
    server.slots(web.url("/put"), "https://upload.example/x")
    lines = (
        '--B\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nrose\r\n'
        f'--B\r\nContent-Disposition: form-data; name="{last[0]}"\r\n\r\n{last[1]}\r\n--B--\r\n'
    )
    answer = client.post("/rest/files", data=lines, headers=basic("juliet") | {"Content-Type": "multipart/form-data; boundary=B"})
    assert answer.status_code == status, answer.text
    requests = [iq[0].get("filename") for iq in server.asked if iq[0].tag == f"{{{UPLOAD}}}request"]
    assert requests == ([] if name is None else [name])


def test_a_service_that_is_named_counts_whatever_it_tells(make_app: MakeApp, web: WebServer) -> None:
    app = register_users(make_app(gateway_domain="capulet.example", files_domain="", files_service=SERVICE))
    server = Server(app)
    server.answers[SERVICE, "query"] = OTHER
    server.slots(web.url("/put"), "https://upload.example/x")
    web.pages["/put"] = Page(201)
    assert post(app.test_client(), b"x" * 1001).status_code == 201
    assert {iq.get("to") for iq in server.asked} == {SERVICE}


def test_what_is_listed_is_looked_at_in_its_order(client: FlaskClient, server: Server, web: WebServer) -> None:
    """Items with a node or without an address are left out; a service without a form has no bound."""
    names = [f"item{number}.example" for number in range(12)]
    listed = "".join(f"<item jid='{name}'/>" for name in ("@", *names, SERVICE))
    server.answers = dict.fromkeys([(name, "query") for name in names], OTHER)
    server.answers["example", "query"] = f"<query xmlns='{DISCO_ITEMS}'><item jid='{SERVICE}' node='x'/><item/>{listed}</query>"
    server.answers[SERVICE, "query"] = INFO.replace(FORM, "")
    server.slots(web.url("/put"), "https://upload.example/x")
    web.pages["/put"] = Page(201)
    assert post(client, b"x" * 1001).status_code == 201
    queried = [iq.get("to") for iq in server.asked if iq[0].tag != f"{{{UPLOAD}}}request"]
    assert queried == ["example", *names, SERVICE]


def test_without_a_stream_there_is_no_service(app: Flask) -> None:
    answer = post(app.test_client())
    assert answer.status_code == 501, answer.text


def test_a_gateway_without_a_parent_has_to_be_told(make_app: MakeApp) -> None:
    app = make_app(gateway_domain="capulet", files_domain="")
    app.extensions["gateway"].parts.accounts.register(parse_jid("juliet@capulet"), PASSWORD)
    server = Server(app)
    answer = app.test_client().post("/rest/files", data=b"rose", headers=basic("juliet@capulet"))
    assert (answer.status_code, server.asked) == (501, [])
    assert "the parent domain" in answer.json["detail"]  # type: ignore[index]


def test_no_answer(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.service.files.foreign.SLOT_SECONDS", 0.2)
    app = register_users(make_app(files_domain="", files_service=SERVICE))
    server = Server(app)
    answer = post(app.test_client())
    assert answer.status_code == 504
    assert [iq.get("to") for iq in server.asked] == [SERVICE, SERVICE]


def test_how_long_it_keeps_a_file_cannot_be_asked_for(client: FlaskClient, server: Server) -> None:
    assert post(client, expire="60").status_code == 422


def test_the_status_tells_of_the_service_and_of_its_refusal(client: FlaskClient, server: Server, web: WebServer) -> None:
    admin = basic("admin@capulet.example")
    empty = {"own": False, "service": None, "reason": None, "count": 0, "used": 0}
    assert client.get("/status", headers=admin).get_json()["files"] == empty
    server.refuses(StanzaError("auth", "forbidden", "Access denied by service policy"))
    assert post(client).status_code == 403
    told = client.get("/status", headers=admin).get_json()["files"]
    reason = f"The upload service {SERVICE} has refused: forbidden (Access denied by service policy)"
    assert told == empty | {"service": SERVICE, "reason": reason}
    server.slots(web.url("/put/x"), "https://upload.example/get/x")
    web.pages["/put/x"] = Page(201)
    assert post(client).status_code == 201
    assert client.get("/status", headers=admin).get_json()["files"] == empty | {"service": SERVICE}
