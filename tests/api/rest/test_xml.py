"""/rest handles XML as mod_rest does: every status, condition and text (rest-api §1, §2, §3, §6-§11)."""

from __future__ import annotations

import base64
import json
from xml.etree.ElementTree import fromstring

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import ArchiveItem
from tests.conftest import DOMAIN, PASSWORD, SHARED, TOKEN, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.parse import parse_element
from xmpp_rest.protocol.stanza import condition_of

XML = "application/xmpp+xml"
JULIET = basic("juliet")
COMPONENT = {"Authorization": TOKEN}


def post(client: FlaskClient, body: str | bytes, path: str = "/rest", headers: dict[str, str] | None = None, **fields: str) -> TestResponse:
    given = JULIET if headers is None else headers
    return client.post(path, data=body, headers={"Content-Type": XML} | given | {k.replace("_", "-"): v for k, v in fields.items()})


def echo(client: FlaskClient, body: str | bytes, headers: dict[str, str] | None = None, **fields: str) -> TestResponse:
    return post(client, body, "/rest/echo", headers, **fields)


def archive(gateway: Gateway, user: str) -> list[ArchiveItem]:
    return list(gateway.driver.archive_find(user, DOMAIN, "archive"))


def assert_error(response: TestResponse, status: int, kind: str, condition: str, text: str) -> None:
    assert response.status_code == status
    assert response.mimetype == "application/json"
    body = json.loads(response.data)
    assert (body["type"], body["code"]) == ("error", status)
    error = body["error"]
    assert (error["type"], error["condition"], error["text"]) == (kind, condition, text)


# sending


def test_a_message_is_accepted_and_kept_by_both(client: FlaskClient, gateway: Gateway) -> None:
    response = post(client, f"<message to='nurse@{DOMAIN}' type='chat' id='m1'><body>Hi</body></message>")
    assert (response.status_code, response.data, "Content-Type" in response.headers) == (202, b"", False)
    assert response.headers["Stanza-Id"] == "m1"
    for user, partner in (("nurse", "juliet"), ("juliet", "nurse")):
        (item,) = archive(gateway, user)
        assert item.with_ == f"{partner}@{DOMAIN}"
        stanza = parse_element(item.stanza.encode())
        assert (stanza.get("from"), stanza.get("to"), stanza.get("id")) == (f"juliet@{DOMAIN}", f"nurse@{DOMAIN}", "m1")


def test_a_message_without_recipient_goes_to_ones_own_account(client: FlaskClient, gateway: Gateway) -> None:
    assert post(client, "<message><body>note to self</body></message>").status_code == 202
    assert archive(gateway, "juliet")


def test_presence_is_accepted(client: FlaskClient) -> None:
    assert post(client, f"<presence to='nurse@{DOMAIN}'/>").status_code == 202


def test_an_unknown_user_is_refused_at_once(client: FlaskClient) -> None:
    response = post(client, f"<message to='nobody@{DOMAIN}' id='x'><body>Hi</body></message>")
    assert (response.status_code, response.mimetype) == (200, XML)
    stanza = parse_element(response.data)
    assert (stanza.get("type"), stanza.get("id"), condition_of(stanza).condition) == ("error", "x", "service-unavailable")


def test_without_a_link_other_domains_are_not_found(client: FlaskClient) -> None:
    response = post(client, "<message to='romeo@montague.example'><body>Hi</body></message>")
    assert response.status_code == 200
    assert condition_of(parse_element(response.data)).condition == "remote-server-not-found"


# asking


def test_an_iq_is_answered(client: FlaskClient) -> None:
    response = post(client, f"<iq type='get' to='{DOMAIN}' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert (response.status_code, response.mimetype) == (200, XML)
    answer = parse_element(response.data)
    assert {k: answer.get(k) for k in ("type", "id", "from", "to")} == {
        "type": "result", "id": "p", "from": DOMAIN, "to": f"juliet@{DOMAIN}",
    }  # fmt: skip


@SHARED
@pytest.mark.parametrize(
    ("query", "child"),
    [
        ("<query xmlns='http://jabber.org/protocol/disco#info'/>", "http://jabber.org/protocol/disco#info"),
        ("<query xmlns='http://jabber.org/protocol/disco#items'/>", "http://jabber.org/protocol/disco#items"),
        ("<query xmlns='jabber:iq:version'/>", "jabber:iq:version"),
        ("<query xmlns='jabber:iq:last'/>", "jabber:iq:last"),
    ],
)
def test_the_domain_answers_what_every_entity_must(client: FlaskClient, query: str, child: str) -> None:
    answer = parse_element(post(client, f"<iq type='get' to='{DOMAIN}'>{query}</iq>").data)
    assert answer.get("type") == "result"
    assert answer[0].tag == f"{{{child}}}query"


def test_disco_names_identity_features_and_the_other_domains(client: FlaskClient) -> None:
    info = post(client, f"<iq type='get' to='{DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>").get_data(as_text=True)
    assert "<identity category='gateway' type='http'" in info
    for feature in ("urn:xmpp:ping", "jabber:iq:version", "jabber:iq:last", "http://jabber.org/protocol/disco#items"):
        assert f"<feature var='{feature}'/>" in info
    items = post(client, f"<iq type='get' to='{DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>").get_data(as_text=True)
    assert f"jid='muclight.{DOMAIN}'" in items


@SHARED
@pytest.mark.parametrize(
    ("iq", "condition"),
    [
        ("<iq type='get' to='{0}'><query xmlns='urn:unknown'/></iq>", "service-unavailable"),
        ("<iq type='set' to='{0}'><ping xmlns='urn:xmpp:ping'/></iq>", "service-unavailable"),
        ("<iq type='get' to='{0}'><query xmlns='http://jabber.org/protocol/disco#info' node='x'/></iq>", "item-not-found"),
        ("<iq type='get' to='nobody@{0}'><ping xmlns='urn:xmpp:ping'/></iq>", "service-unavailable"),
        ("<iq type='get' to='nurse@{0}/offline'><ping xmlns='urn:xmpp:ping'/></iq>", "service-unavailable"),
        ("<iq type='get' to='montague.example'><ping xmlns='urn:xmpp:ping'/></iq>", "remote-server-not-found"),
    ],
)
def test_an_error_answers_an_iq_with_200(client: FlaskClient, iq: str, condition: str) -> None:
    response = post(client, iq.format(DOMAIN))
    assert response.status_code == 200
    answer = parse_element(response.data)
    assert (answer.get("type"), condition_of(answer).condition) == ("error", condition)


# credentials


def test_no_credentials(client: FlaskClient) -> None:
    response = post(client, "<message/>", headers={})
    assert_error(response, 401, "auth", "not-authorized", "No credentials provided")
    challenge = response.headers["WWW-Authenticate"]
    assert f'Basic realm="{DOMAIN}/rest"' in challenge
    assert f'Bearer realm="{DOMAIN}/rest"' in challenge


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


WRONG = "Credentials not accepted"
MALFORMED, UNPREPARED = "Credentials malformed", "Credentials failed stringprep"


@SHARED
@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("Bearer wrong", WRONG), ("bearer wrong", WRONG), ("Bearer secret-token:x", WRONG), (f"Basic {b64('juliet:x')}", WRONG),
        (f"basic {b64('nobody:x')}", WRONG), (f"Basic {b64(f'juliet@{DOMAIN}:x')}", WRONG), (f"Basic {b64(f'juliet@other.example:{PASSWORD}')}", WRONG),
        (f"Basic {b64('juliet:')}", WRONG), ("Basic !", MALFORMED), ("Basic YQ", MALFORMED), (f"Basic {b64('juliet')}", MALFORMED),
        ("Basic \xff", MALFORMED), (f"Basic {b64(':x')}", MALFORMED), (f"BASIC {b64('')} x", MALFORMED),
        (f"Basic {b64('jul iet:x')}", UNPREPARED), (f"Basic {b64(b'juli' + bytes([255]) + b'et:x')}", UNPREPARED),
        (f"Basic {b64('juliet:x' + chr(7))}", UNPREPARED), (f"Basic {b64(b'juliet:' + bytes([255]))}", UNPREPARED),
        (f"Basic {b64('juliet:' + 'x' * 9000)}", UNPREPARED), ("Basic " + "A" * 9000, MALFORMED), ("Bearer " + "A" * 9000, WRONG),
        (f"Basic {b64('juliet@a b:x')}", UNPREPARED), (f"Basic {b64('j' * 1024 + ':x')}", UNPREPARED),
    ],
)  # fmt: skip
def test_wrong_credentials(client: FlaskClient, field: str, text: str) -> None:
    response = post(client, "<message/>", headers={"Authorization": field})
    assert_error(response, 403, "auth", "not-authorized", text)
    assert "WWW-Authenticate" not in response.headers


@SHARED
@pytest.mark.parametrize("field", ["Digest x", "Basic", "Bearer", "Basic ", "Bearer  ", "hand-in-glove", "Negotiate YQ==", b64(f"juliet:{PASSWORD}"), " "])
def test_what_is_no_credentials_at_all(client: FlaskClient, field: str) -> None:
    response = post(client, "<message/>", headers={"Authorization": field})
    assert_error(response, 401, "auth", "not-authorized", "No credentials provided")
    assert f'Basic realm="{DOMAIN}/rest"' in response.headers["WWW-Authenticate"]


@SHARED
@pytest.mark.parametrize("name", ["juliet", f"juliet@{DOMAIN}", f"Juliet@{DOMAIN}/balcony"])
def test_names_that_basic_may_have(client: FlaskClient, name: str) -> None:
    assert parse_element(echo(client, "<message/>", basic(name)).data).get("from") == f"juliet@{DOMAIN}"


def test_credentials_come_before_size_and_syntax(client: FlaskClient) -> None:
    assert post(client, b"<" * 200_000, headers={}).status_code == 401
    assert post(client, b"<" * 200_000, headers=basic("juliet", "wrong")).status_code == 403


# body


def test_the_size_limit(client: FlaskClient) -> None:
    body = b"<message><body>" + b"x" * (196608 - 32) + b"</body></message>"
    assert len(body) == 196608
    assert echo(client, body).status_code == 200
    assert_error(echo(client, body + b" "), 413, "modify", "resource-constraint", "Payload too large")


@SHARED
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"hello", b"<message>", b"<message/><message/>", b"<message><body></message>", b"<?xml version='1.1'?><message/>"),
        *(b"<!DOCTYPE m><message/>", b"<!DOCTYPE m [<!ENTITY e 'x'>]><message>&e;</message>", b"<!-- x --><message/>", b"<message><?x?></message>"),
        *(b"<message><body>\x00</body></message>", b"<message><body>&#8;</body></message>", b"<message><body>\xff</body></message>"),
        *(b"<message>" + b"<x>" * 100 + b"</x>" * 100 + b"</message>", "<message/>".encode("utf-16")),
    ],
)
def test_bodies_that_are_no_stanza(client: FlaskClient, body: bytes) -> None:
    for path in ("/rest", "/rest/echo"):
        assert_error(post(client, body, path), 400, "modify", "not-well-formed", "Failed to parse payload")


def test_an_element_that_no_server_could_read(client: FlaskClient) -> None:
    assert post(client, f"<message to='nurse@{DOMAIN}'><xml:x/></message>").status_code == 400


@SHARED
@pytest.mark.parametrize("kind", ["application/xml", "text/xml", "application/octet-stream", "text/html", "x"])
def test_media_types_that_are_no_stanza(client: FlaskClient, kind: str) -> None:
    assert_error(post(client, "<message/>", Content_Type=kind), 415, "cancel", "bad-format", "Unsupported media type")


def test_no_media_type(client: FlaskClient) -> None:
    assert client.post("/rest", data=b"<message/>", headers=JULIET).status_code == 415


@SHARED
@pytest.mark.parametrize("kind", ["application/xmpp+xml; charset=utf-8", "Application/XMPP+XML", "application/xmpp+xml;x=y"])
def test_spellings_of_the_media_type(client: FlaskClient, kind: str) -> None:
    assert echo(client, "<message/>", Content_Type=kind).status_code == 200


# addressing


@SHARED
@pytest.mark.parametrize("namespace", ["jabber:server", "urn:x", "jabber:component:accept"])
def test_a_foreign_namespace(client: FlaskClient, namespace: str) -> None:
    response = post(client, f"<message xmlns='{namespace}'/>")
    assert_error(response, 422, "modify", "invalid-namespace", "'xmlns' attribute must be empty")


def test_the_namespace_of_clients_counts_for_nothing(client: FlaskClient) -> None:
    response = echo(client, "<message xmlns='jabber:client' id='1'><body>x</body></message>")
    assert b"<body>x</body>" in response.data
    assert b"xmlns" not in response.data


@SHARED
@pytest.mark.parametrize("name", ["body", "stream", "Message", "a"])
def test_a_wrong_name(client: FlaskClient, name: str) -> None:
    text = "Invalid stanza, must be 'message', 'presence' or 'iq'."
    assert_error(post(client, f"<{name}/>"), 422, "modify", "unsupported-stanza-type", text)


@SHARED
@pytest.mark.parametrize("to", ["@x", "", "a@", "a b@c", "a@b/", "a@b@c"])
def test_a_bad_recipient(client: FlaskClient, to: str) -> None:
    assert_error(post(client, f"<message to='{to}'/>"), 422, "modify", "improper-addressing", "Invalid destination JID")


@SHARED
@pytest.mark.parametrize("sender", ["@x", "", "a@", f"juliet@{DOMAIN}/"])
def test_a_bad_sender(client: FlaskClient, sender: str) -> None:
    assert_error(post(client, f"<message from='{sender}'/>"), 422, "modify", "invalid-from", "Invalid source JID")


@SHARED
@pytest.mark.parametrize("sender", [f"nurse@{DOMAIN}", DOMAIN, "juliet@montague.example", f"{DOMAIN}/juliet"])
def test_somebody_else_as_sender(client: FlaskClient, sender: str) -> None:
    text = "Not authorized to send stanza with requested 'from'"
    assert_error(post(client, f"<message from='{sender}'/>"), 403, "auth", "not-authorized", text)


def test_any_resource_of_ones_own(client: FlaskClient) -> None:
    assert parse_element(echo(client, f"<message from='JULIET@{DOMAIN}/any'/>").data).get("from") == f"juliet@{DOMAIN}/any"


def test_the_component_sends_as_its_domain_or_anybody_there(client: FlaskClient) -> None:
    for sent, expected in (("", DOMAIN), (f"from='bot@{DOMAIN}/x'", f"bot@{DOMAIN}/x")):
        stanza = parse_element(echo(client, f"<message to='a@b' {sent}/>", COMPONENT).data)
        assert stanza.get("from") == expected
    assert echo(client, "<message to='a@b' from='a@montague.example'/>", COMPONENT).status_code == 403
    assert_error(echo(client, "<message/>", COMPONENT), 422, "modify", "improper-addressing", "Invalid destination JID")


def test_attributes_are_kept_filled_in_or_removed(client: FlaskClient) -> None:
    sent = "<message to='Nurse@CAPULET.example./r' type='chat' xml:lang='de' foo='bar' x:y='z' xmlns:x='urn:x'><body>x</body></message>"
    stanza = parse_element(echo(client, sent).data)
    assert len(stanza.attrib.pop("id")) == 24
    assert stanza.attrib == {
        "from": f"juliet@{DOMAIN}",
        "to": f"nurse@{DOMAIN}/r",
        "type": "chat",
        "{http://www.w3.org/XML/1998/namespace}lang": "de",
    }
    assert parse_element(echo(client, "<message id='mine'/>").data).get("id") == "mine"


@SHARED
@pytest.mark.parametrize("kind", ["", "type='result'", "type='error'", "type='chat'"])
def test_an_iq_that_asks_nothing(client: FlaskClient, kind: str) -> None:
    text = "'iq' stanza must be of type 'get' or 'set'"
    assert_error(post(client, f"<iq {kind} to='a@b'><ping xmlns='urn:xmpp:ping'/></iq>"), 422, "modify", "invalid-xml", text)


@SHARED
@pytest.mark.parametrize("children", ["", "<a/><b/>"])
def test_an_iq_without_exactly_one_child(client: FlaskClient, children: str) -> None:
    text = "'iq' stanza must have exactly one child tag"
    assert_error(post(client, f"<iq type='get' to='a@b'>{children}</iq>"), 422, "modify", "bad-format", text)


def test_echo_does_not_check_iqs_and_sends_nothing(client: FlaskClient, gateway: Gateway) -> None:
    assert echo(client, "<iq type='result'/>").status_code == 200
    assert echo(client, f"<message to='nurse@{DOMAIN}'><body>x</body></message>").status_code == 200
    assert not archive(gateway, "nurse")


def test_the_checks_in_their_order(client: FlaskClient) -> None:
    assert b"invalid-namespace" in post(client, "<body xmlns='urn:x' to='@' from='@'/>").data
    assert b"unsupported-stanza-type" in post(client, "<body to='@' from='@'/>").data
    assert b"improper-addressing" in post(client, "<iq to='@' from='@'/>").data
    assert b"invalid-from" in post(client, "<iq to='a@b' from='@'/>").data
    assert b"invalid-xml" in post(client, "<iq to='a@b'/>").data


# the form of errors and replies


@SHARED
@pytest.mark.parametrize(
    ("accept", "form"),
    [
        *((accept, "application/json") for accept in [None, "*/*", "image/png", "application/json"]),
        (XML, XML),
        (f"{XML}, application/json", XML),
        (f"application/json, {XML}", "application/json"),
        ("text/html,application/json", "text/html"),
    ],
)
def test_the_form_of_an_error_follows_accept(client: FlaskClient, accept: str | None, form: str) -> None:
    response = post(client, "<message to='@'/>", headers=JULIET | ({"Accept": accept} if accept else {}))
    assert (response.status_code, response.headers["Content-Type"]) == (422, form)


def test_an_error_as_xml(client: FlaskClient) -> None:
    error = fromstring(post(client, "<message to='@'/>", Accept=XML).data)
    assert error.tag == "{http://etherx.jabber.org/streams}error"
    namespace = "{urn:ietf:params:xml:ns:xmpp-streams}"
    assert error.find(f"{namespace}improper-addressing") is not None
    assert error.findtext(f"{namespace}text") == "Invalid destination JID"


def test_an_error_as_json_has_what_clients_read(client: FlaskClient) -> None:
    answer = post(client, "<message to='@'/>")
    error = json.loads(answer.data)["error"]
    assert error["code"] == 422
    assert error["instance_id"] == answer.headers["X-Request-Id"]
    assert set(error) == {"type", "condition", "text", "code", "source", "instance_id", "context"}


@SHARED
@pytest.mark.parametrize("accept", [None, "*/*", "text/plain", "image/*", "nonsense", f"{XML};q=0.5", "text/html, */*"])
def test_a_reply_is_xml_unless_something_else_is_named(client: FlaskClient, accept: str | None) -> None:
    response = echo(client, "<message/>", headers=JULIET | ({"Accept": accept} if accept else {}))
    assert (response.status_code, response.headers["Content-Type"]) == (200, XML)


# resources and methods


def test_rest_moves_to_its_slash_before_credentials(client: FlaskClient) -> None:
    response = client.get("/rest")
    assert (response.status_code, response.headers["Location"]) == (301, "/rest/")


def test_the_slash_names_no_query(client: FlaskClient) -> None:
    assert client.get("/rest/", headers=JULIET).status_code == 400
    assert client.get("/rest/").status_code == 401


@SHARED
@pytest.mark.parametrize("path", ["/rest", "/rest/", "/rest/echo", "/rest/ping/x", "/rest/message/chat/a@b"])
def test_options_needs_no_credentials(client: FlaskClient, path: str) -> None:
    response = client.options(path, headers={"Origin": "https://capulet.example"})
    assert (response.status_code, response.data) == (200, b"")
    assert {m.strip() for m in response.headers["Allow"].split(",")} == {"GET", "OPTIONS", "POST"}
    assert "Content-Type" not in response.headers
    assert response.headers["Access-Control-Allow-Origin"] == "https://capulet.example"


@SHARED
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(client: FlaskClient, method: str) -> None:
    response = client.open("/rest", method=method, headers=JULIET)
    assert response.status_code == 405
    assert json.loads(response.data) == {"type": "error", "code": 405}


@pytest.mark.parametrize("status", [202, 400, 401, 405, 415, 422])
def test_every_answer_has_the_cors_fields(client: FlaskClient, status: int) -> None:
    answers = {
        202: lambda: post(client, f"<message to='nurse@{DOMAIN}'/>"),
        400: lambda: post(client, "x"),
        401: lambda: post(client, "x", headers={}),
        405: lambda: client.put("/rest", headers=JULIET),
        415: lambda: post(client, "x", Content_Type="x/y"),
        422: lambda: post(client, "<x/>"),
    }
    response = answers[status]()
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert {m.strip() for m in response.headers["Access-Control-Allow-Methods"].split(",")} == {"GET", "OPTIONS", "POST"}
    assert response.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert response.headers["Access-Control-Max-Age"] == "7200"


def test_xml_speaks_for_itself_whatever_the_path(client: FlaskClient, gateway: Gateway) -> None:
    response = post(client, f"<message to='nurse@{DOMAIN}'><body>x</body></message>", "/rest/presence/unavailable/juliet@capulet.example")
    assert response.status_code == 202
    assert archive(gateway, "nurse")


def test_too_many_wrong_passwords(make_app: object) -> None:
    client = make_app(auth_failures="2").test_client()  # type: ignore[operator]
    for _ in range(2):
        assert post(client, "<message/>", headers=basic("admin", "guess")).status_code == 403
    response = post(client, "<message/>", headers=basic("admin", "guess"))
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 61
    body = f"<message to='admin@{DOMAIN}'><body>x</body></message>"
    assert post(client, body, headers=basic("admin", PASSWORD)).status_code == 202, "the right one passes"
