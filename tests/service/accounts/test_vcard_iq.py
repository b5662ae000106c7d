"""The hosted domain answers for its accounts' vCards (XEP-0054)."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_element, parse_text
from xmpp_rest.protocol.stanza import condition_of

CARD = "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN><TEL><HOME/><NUMBER>555</NUMBER></TEL></vCard>"
ROMEO = "romeo@montague.example/orchard"


def ask(gateway: Gateway, kind: str, payload: str, sender: str = ROMEO, to: str = f"juliet@{DOMAIN}") -> object:
    iq = parse_text(f"<iq type='{kind}' id='v' from='{sender}' to='{to}'>{payload}</iq>")
    return gateway.parts.router.deliver(iq, parse_jid(sender), parse_jid(to))


def post(client: FlaskClient, iq: str) -> str:
    response = client.post("/rest", data=iq, headers=basic("juliet") | {"Content-Type": "application/xmpp+xml"})
    assert response.status_code == 200
    return response.get_data(as_text=True)


def test_the_account_sets_it_and_everybody_reads_it(client: FlaskClient, gateway: Gateway) -> None:
    assert "type='result'" in post(client, f"<iq type='set'>{CARD}</iq>")
    assert CARD in post(client, "<iq type='get'><vCard xmlns='vcard-temp'/></iq>")
    answer = ask(gateway, "get", "<vCard xmlns='vcard-temp'/>")
    assert answer.find("{vcard-temp}vCard").findtext("{vcard-temp}FN") == "Juliet Capulet"  # type: ignore[attr-defined]


def test_nobody_else_changes_it(gateway: Gateway) -> None:
    assert condition_of(ask(gateway, "set", CARD)).condition == "forbidden"  # type: ignore[arg-type]
    answer = ask(gateway, "get", "<vCard xmlns='vcard-temp'/>")
    assert len(answer[0]) == 0  # type: ignore[index]


def test_an_absent_account_has_none(gateway: Gateway) -> None:
    answer = ask(gateway, "get", "<vCard xmlns='vcard-temp'/>", to=f"nobody@{DOMAIN}")
    assert condition_of(answer).condition == "service-unavailable"  # type: ignore[arg-type]


def test_discovery_names_it(client: FlaskClient) -> None:
    answer = parse_element(post(client, "<iq type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>").encode())
    assert "vcard-temp" in {feature.get("var") for feature in answer[0]}
