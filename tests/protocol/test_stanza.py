"""Answers and errors follow the rules of RFC 6120 §8."""

from __future__ import annotations

import re

import pytest

from xmpp_rest.protocol.conditions import DEFAULT_TYPE, StanzaError, error_of_status, stanza_error
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of, is_answer, is_request, may_be_refused, new_id, refusal, result


def test_ids_are_fresh_and_of_24_characters() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{24}", i) for i in ids)


def test_a_refusal_turns_the_stanza_round() -> None:
    message = parse_text("<message from='a@b/c' to='d@e' id='1' type='chat'><body>x</body></message>")
    error = refusal(message, StanzaError("wait", "recipient-unavailable", "connection refused", "d@e"))
    assert serialise(error) == (
        "<message type='error' id='1' from='d@e' to='a@b/c'><error type='wait' by='d@e'>"
        "<recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>connection refused</text></error></message>"
    )
    assert condition_of(error) == StanzaError("wait", "recipient-unavailable", "connection refused", "d@e")


def test_a_stanza_without_id_gets_none() -> None:
    assert serialise(result(parse_text("<iq from='a' to='b' type='get'/>"))) == "<iq type='result' from='b' to='a'/>"


@pytest.mark.parametrize(("type_", "request_", "answer"), [("get", True, False), ("set", True, False), ("result", False, True), ("error", False, True)])
def test_kinds_of_iq(type_: str, request_: bool, answer: bool) -> None:
    iq = parse_text(f"<iq type='{type_}'/>")
    assert (is_request(iq), is_answer(iq), may_be_refused(iq)) == (request_, answer, request_)


@pytest.mark.parametrize(
    ("stanza", "error"),
    [
        ("<iq type='error'/>", StanzaError("cancel", "undefined-condition")),
        ("<iq type='error'><error type='auth'/></iq>", StanzaError("auth", "undefined-condition")),
        (
            "<iq type='error'><error type='auth'><x xmlns='urn:app'/><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            StanzaError("auth", "forbidden"),
        ),
    ],
)
def test_what_an_error_says(stanza: str, error: StanzaError) -> None:
    assert condition_of(parse_text(stanza)) == error


def test_every_condition_has_a_type() -> None:
    assert all(stanza_error(c).type in ("auth", "cancel", "modify", "wait", "continue") for c in DEFAULT_TYPE)


STATUSES = """
400 modify bad-request Bad Request|401 auth not-authorized Unauthorized|402 auth payment-required Payment Required
403 auth forbidden Forbidden|404 cancel item-not-found Not Found|405 cancel not-allowed Method Not Allowed
406 modify not-acceptable Not Acceptable|407 auth registration-required Proxy Authentication Required
408 wait remote-server-timeout Request Timeout|409 cancel conflict Conflict|410 cancel gone Gone|411 modify bad-request Length Required
412 cancel conflict Precondition Failed|413 modify resource-constraint Payload Too Large|414 modify resource-constraint URI Too Long
415 cancel feature-not-implemented Unsupported Media Type|416 modify bad-request Range Not Satisfiable
422 modify bad-request Unprocessable Entity|423 wait resource-constraint Locked|429 wait resource-constraint Too Many Requests
431 modify resource-constraint Request Header Fields Too Large|451 auth forbidden Unavailable For Legal Reasons
500 wait internal-server-error Internal Server Error|501 cancel feature-not-implemented Not Implemented
502 wait remote-server-timeout Bad Gateway|503 cancel service-unavailable Service Unavailable|504 wait remote-server-timeout Gateway Timeout
507 wait resource-constraint Insufficient Storage|511 auth not-authorized Network Authentication Required
301 cancel undefined-condition Moved Permanently|424 cancel undefined-condition Failed Dependency|599 cancel undefined-condition Unassigned
"""


@pytest.mark.parametrize("row", STATUSES.strip().replace("\n", "|").split("|"))
def test_http_statuses_as_stanza_errors(row: str) -> None:
    status, kind, condition, phrase = row.split(" ", 3)
    assert error_of_status(int(status)) == StanzaError(kind, condition, f"{status} {phrase}")
