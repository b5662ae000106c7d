"""The callback of a whole domain gets every stanza that is not for an account (wsgi.ini, [callback.NAME] address)."""

from __future__ import annotations

from tests.botapp import MakeBot
from tests.conftest import DOMAIN
from tests.webservice import Service
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text

JULIET = f"juliet@{DOMAIN}"


def test_domain_callback_gets_what_is_not_for_an_account(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url(), address=DOMAIN)
    sender = "from='romeo@montague.example/o'"
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    refused = app.gateway.parts.router.deliver(
        parse_text(f"<iq {sender} to='{JULIET}' type='get' id='1'>{ping}</iq>"), parse_jid("romeo@montague.example/o"), parse_jid(JULIET)
    )
    assert refused is not None  # by the account, as it would be without a callback
    app.come(f"<iq {sender} to='nobody@{DOMAIN}' type='get' id='2'>{ping}</iq>")
    assert f"nobody@{DOMAIN}" in service.wait(lambda _: True).body.decode()
