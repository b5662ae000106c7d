"""The gateway's domain says what time it is (XEP-0202)."""

from __future__ import annotations

import time

from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.parse import parse_element

JULIET = basic("juliet") | {"Content-Type": "application/xmpp+xml"}


def ask(client: FlaskClient, iq: str) -> str:
    response = client.post("/rest", data=iq, headers=JULIET)
    assert response.status_code == 200
    return response.text


def test_the_time(client: FlaskClient) -> None:
    answer = parse_element(ask(client, f"<iq type='get' to='{DOMAIN}'><time xmlns='urn:xmpp:time'/></iq>").encode())
    (element,) = answer
    texts = {child.tag.partition("}")[2]: child.text or "" for child in element}
    assert (element.tag, texts["tzo"]) == ("{urn:xmpp:time}time", "+00:00")
    assert texts["utc"].endswith("Z")
    assert abs(parse_datetime(texts["utc"]) - time.time()) < 60


def test_it_says_that_it_knows(client: FlaskClient) -> None:
    assert "var='urn:xmpp:time'" in ask(client, f"<iq type='get' to='{DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
