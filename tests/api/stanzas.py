"""Stanzas that are sent over HTTP, and that come in, for the tests of block lists and privacy lists."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of

JULIET, NURSE, ROMEO = f"juliet@{DOMAIN}", f"nurse@{DOMAIN}", "romeo@montague.example"
XML = {"Content-Type": "application/xmpp+xml", "Accept": "application/xmpp+xml"}


def post(client: FlaskClient, stanza: str, user: str = JULIET) -> Element | None:
    """What is answered at once to a stanza that an account sends."""
    response = client.post("/rest", data=stanza, headers=basic(user) | XML)
    assert response.status_code in (200, 202), response.data
    return parse_text(response.get_data(as_text=True)) if response.data else None


def receive(gateway: Gateway, stanza: str) -> Element | None:
    element = parse_text(stanza)
    return gateway.parts.sending.receive(element, parse_jid(element.attrib["from"]), parse_jid(element.attrib["to"]))


def condition(answer: Element | None) -> str:
    return condition_of(answer).condition if answer is not None else ""
