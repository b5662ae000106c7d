"""Every row of mod_rest's table of replies (rest-api §12)."""

from __future__ import annotations

import pytest

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.callbacks.http_client import CallbackAnswer
from xmpp_rest.service.callbacks.reply import reply_to

XML = "application/xmpp+xml"
MESSAGE = "<message from='juliet@capulet.example/b' to='bot@gateway.example' id='m1' type='chat'><body>Hi</body></message>"
RECEIPT = "<message from='juliet@capulet.example/b' to='bot@gateway.example' id='m1'><request xmlns='urn:xmpp:receipts'/></message>"
ROOM = "<message from='room@conference.example/juliet' to='bot@gateway.example' id='m1' type='groupchat'><body>Hi</body></message>"
PRESENCE = "<presence from='juliet@capulet.example' to='bot@gateway.example' type='subscribe' id='p1'/>"
IQ = "<iq from='juliet@capulet.example/b' to='bot@gateway.example' id='i1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"
RECEIVED = "<received xmlns='urn:xmpp:receipts' id='m1'/>"


def answer(stanza: str, status: int, body: str = "", kind: str | None = XML, language: str | None = None) -> str | None:
    """The reply as text, a fresh id shown as *ID*."""
    reply = reply_to(parse_text(stanza), CallbackAnswer(status, kind, language, body.encode())).stanza
    if reply is None:
        return None
    if len(reply.get("id", "")) == 24:
        reply.set("id", "*ID*")
    return serialise(reply)


@pytest.mark.parametrize("kind", ["error", "result"])
@pytest.mark.parametrize("status", [200, 204, 404, 500])
def test_row_1_errors_and_results_are_never_answered(kind: str, status: int) -> None:
    assert answer(f"<iq from='a@b' to='c@d' id='1' type='{kind}'/>", status, "<iq type='result'/>") is None
    assert answer(f"<message from='a@b' to='c@d' id='1' type='{kind}'/>", status, "<message><body>x</body></message>") is None


@pytest.mark.parametrize("status", [202, 204])
@pytest.mark.parametrize("stanza", [MESSAGE, PRESENCE, ROOM])
def test_row_2_nothing_to_say(stanza: str, status: int) -> None:
    assert answer(stanza, status) is None


@pytest.mark.parametrize("status", [202, 204])
def test_what_is_due_is_sent_all_the_same(status: int) -> None:
    assert answer(IQ, status) == "<iq type='result' id='i1' from='bot@gateway.example' to='juliet@capulet.example/b'/>"
    assert answer(RECEIPT, status) == f"<message from='bot@gateway.example' to='juliet@capulet.example/b' id='*ID*'>{RECEIVED}</message>"


@pytest.mark.parametrize("status", [200, 201, 299, 400, 404, 500, 302])
def test_row_3_a_stanza_of_the_same_kind_is_the_reply_whatever_the_status(status: int) -> None:
    body = "<message from='evil@x' to='evil@y' foo='bar' type='normal' xml:lang='de'><body>Ho</body></message>"
    assert answer(MESSAGE, status, body) == (
        "<message from='bot@gateway.example' to='juliet@capulet.example/b' type='normal' xml:lang='de' id='*ID*'><body>Ho</body></message>"
    )


def test_row_3_keeps_a_given_id() -> None:
    assert "id='mine'" in str(answer(MESSAGE, 200, "<message id='mine'/>"))


def test_row_3_iq_is_always_the_result_of_the_request() -> None:
    reply = answer(IQ, 200, "<iq type='get' id='x'><q xmlns='urn:q'/></iq>")
    assert reply == "<iq from='bot@gateway.example' to='juliet@capulet.example/b' type='result' id='i1'><q xmlns='urn:q'/></iq>"


@pytest.mark.parametrize("stanza", [IQ, MESSAGE, PRESENCE])
def test_row_3_an_error_has_the_id_of_the_stanza(stanza: str) -> None:
    name = stanza[1 : stanza.index(" ")]
    reply = parse_text(str(answer(stanza, 200, f"<{name} type='error' id='x'><error type='auth'/></{name}>")))
    assert reply.get("type") == "error"
    assert reply.get("id") == parse_text(stanza).get("id")


def test_row_3_an_error_child_makes_an_error_where_the_stanza_had_no_type() -> None:
    stanza = MESSAGE.replace(" type='chat'", "")
    reply = parse_text(str(answer(stanza, 200, "<message><error type='cancel'/></message>")))
    assert (reply.get("type"), reply.get("id")) == ("error", "m1")
    assert "type=" not in str(answer(MESSAGE, 200, "<message><error/></message>")).partition(">")[0]


def test_row_3_a_groupchat_reply_goes_to_the_room() -> None:
    reply = answer(ROOM, 200, "<message type='groupchat'><body>Ho</body></message>")
    assert reply == (
        "<message from='bot@gateway.example' to='room@conference.example' type='groupchat' id='*ID*'><body>Ho</body></message>"
    )


def test_row_3_plain_text_is_a_chat_message_in_the_language_of_the_answer() -> None:
    assert answer(MESSAGE, 200, "Grüße", "text/plain; charset=utf-8", "de") == (
        "<message from='bot@gateway.example' to='juliet@capulet.example/b' type='chat' xml:lang='de' id='*ID*'><body>Grüße</body></message>"
    )


@pytest.mark.parametrize("status", [404, 500])
def test_plain_text_of_an_error_status_is_no_message(status: int) -> None:
    assert parse_text(str(answer(MESSAGE, status, "no such page", "text/plain"))).get("type") == "error"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", XML),
        ("", "text/plain"),
        ("<html/>", "text/html"),
        ("<message>", XML),
        ("<presence/>", XML),
        ("<?xml version='1.1'?><message/>", XML),
        ("x", None),
        ("\x01", XML),
    ],
)
def test_row_4_an_empty_reply(body: str, kind: str | None) -> None:
    assert answer(MESSAGE, 200, body, kind) == "<message from='bot@gateway.example' to='juliet@capulet.example/b' type='chat' id='*ID*'/>"
    assert answer(IQ, 201) == "<iq type='result' id='i1' from='bot@gateway.example' to='juliet@capulet.example/b'/>"
    assert answer(PRESENCE, 200) == "<presence from='bot@gateway.example' to='juliet@capulet.example' type='subscribe' id='*ID*'/>"


@pytest.mark.parametrize(("status", "condition"), [(404, "item-not-found"), (403, "forbidden"), (301, "undefined-condition"), (503, "service-unavailable")])
def test_row_5_a_stanza_error(status: int, condition: str) -> None:
    for stanza in (MESSAGE, IQ, PRESENCE):
        reply = parse_text(str(answer(stanza, status, "<html/>", "text/html")))
        assert (reply.get("type"), reply.get("id")) == ("error", parse_text(stanza).get("id"))
        assert condition_of(reply).condition == condition
        assert condition_of(reply).text.startswith(f"{status} ")


def test_receipts() -> None:
    assert RECEIVED in str(answer(RECEIPT, 200, "<message><body>x</body></message>"))
    assert RECEIVED in str(answer(RECEIPT, 200))
    assert RECEIVED not in str(answer(RECEIPT, 404))
    assert RECEIVED not in str(answer(RECEIPT, 200, "<message type='error'><error type='cancel'/></message>"))
    assert RECEIVED not in str(answer(RECEIPT.replace(" id='m1'", ""), 200))
    assert answer(RECEIPT.replace(" id='m1'", ""), 204) is None
