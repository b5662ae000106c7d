"""vCards and block lists mean the same to the gateway and to a Prosody that uses the same files in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of

from .beside import Beside
from .conftest import require
from .xmppserver import DOMAIN, PASSWORD

ROMEO, PARIS, TYBALT = f"romeo@{DOMAIN}", "paris@verona.example", "tybalt@verona.example"
IQ = """
local st = require "util.stanza"
local answer
local origin = {{ username = "romeo", host = "{domain}", full_jid = "romeo@{domain}/x", send = function (s) answer = s end }}
local stanza = st.iq({{ type = "{kind}", id = "i", from = "romeo@{domain}/x", to = "romeo@{domain}" }})
stanza:add_child(require "util.xml".parse([[{payload}]]))
local sessions = prosody.hosts["{domain}"].sessions
sessions.romeo = {{ sessions = {{}} }}
prosody.hosts["{domain}"].events.fire_event("iq-{kind}/{event}", {{ origin = origin, stanza = stanza }})
sessions.romeo = nil
return answer
"""
MESSAGE = """
local st = require "util.stanza"
local stanza = st.message({{ type = "headline", from = "{sender}/x", to = "romeo@{domain}" }}, "Ay me")
local reached = false
local function see() reached = true; return true end
module:hook("message/bare", see, 99) -- after the block list
prosody.hosts["{domain}"].events.fire_event("message/bare", {{ origin = {{ send = function () end }}, stanza = stanza }})
module:unhook("message/bare", see)
return not reached
"""
VCARD = "vcard-temp:vCard"
BLOCKING = "urn:xmpp:blocking"


class Profiled(Beside):
    """A Prosody with block lists."""

    def configure(self) -> None:
        super().configure()
        config = self.folder / "prosody.cfg.lua"
        config.write_text(config.read_text().replace('"roster", "orders",', '"roster", "blocklist", "orders",'))

    def iq(self, kind: str, event: str, payload: str) -> str:
        """What romeo is answered."""
        return self.do(IQ.format(domain=DOMAIN, kind=kind, event=event, payload=payload))

    def again(self) -> None:
        """Forget what is in memory, as where it was stopped while the gateway had its turn."""
        self.stop()
        self.start()

    def drops(self, sender: str) -> bool:
        return self.do(MESSAGE.format(domain=DOMAIN, sender=sender)) == "true"


@pytest.fixture
def prosody(tmp_path: Path) -> Iterator[Profiled]:
    require(Profiled.program)
    running = Profiled(tmp_path / "server")
    running.start()
    running.user("delete_user", "romeo", DOMAIN)
    running.user("create_user", "romeo", PASSWORD, DOMAIN)
    yield running
    running.stop()


def command(client: FlaskClient, called: str, **arguments: str) -> object:
    body = {"user": "romeo", "host": DOMAIN} | arguments
    return client.post(f"/api/{called}", json=body, headers=basic(f"admin@{DOMAIN}", PASSWORD)).get_json()


def test_cards_of_prosody(prosody: Profiled, client: FlaskClient) -> None:
    card = "<vCard xmlns='vcard-temp'><FN>Romeo</FN><N><GIVEN>Romeo</GIVEN></N><EMAIL><WORK/><USERID>romeo@example.org</USERID></EMAIL></vCard>"
    assert "type='result'" in prosody.iq("set", f"self/{VCARD}", card)
    assert command(client, "get_vcard", name="FN") == "Romeo"
    assert command(client, "get_vcard2", name="EMAIL", subname="USERID") == "romeo@example.org"
    assert command(client, "set_vcard", name="FN", content="Romeo Montague") == 0
    assert command(client, "set_vcard2", name="TEL", subname="CELL", content="555") == 0
    prosody.again()
    shown = prosody.iq("get", f"bare/{VCARD}", "<vCard xmlns='vcard-temp'/>")
    for part in (
        "<FN>Romeo Montague</FN>",
        "<GIVEN>Romeo</GIVEN>",
        "<USERID>romeo@example.org</USERID>",
        "<NUMBER>555</NUMBER>",
        "<WORK/>",
    ):
        assert part in shown
    assert "type='result'" in prosody.iq("set", f"self/{VCARD}", card.replace("Romeo</FN>", "R.</FN>"))
    assert command(client, "get_vcard", name="FN") == "R."


def test_block_lists_of_prosody(prosody: Profiled, client: FlaskClient, app: Flask) -> None:
    block = f"<block xmlns='{BLOCKING}'><item jid='{PARIS}'/></block>"
    assert "type='result'" in prosody.iq("set", f"self/{BLOCKING}:block", block)
    gateway: Gateway = app.extensions["gateway"]

    def refused(sender: str) -> bool:
        message = parse_text(f"<message from='{sender}' to='{ROMEO}'><body>Ay me</body></message>")
        answer = gateway.parts.sending.receive(message, parse_jid(sender), parse_jid(ROMEO))
        return answer is not None and condition_of(answer).condition == "service-unavailable"

    assert (refused(PARIS), refused(TYBALT)) == (True, False)
    iq = f"<iq type='set'>{block.replace(PARIS, 'verona.example')}</iq>"
    fields = basic(ROMEO, PASSWORD) | {"Content-Type": "application/xmpp+xml"}
    assert b"type='result'" in client.post("/rest", data=iq, headers=fields).data
    prosody.again()
    assert [prosody.drops(sender) for sender in (PARIS, TYBALT, "nurse@rome.example")] == [True, True, False]
    listed = prosody.iq("get", f"self/{BLOCKING}:blocklist", f"<blocklist xmlns='{BLOCKING}'/>")
    assert "verona.example" in listed
    assert PARIS in listed
    assert "type='result'" in prosody.iq("set", f"self/{BLOCKING}:unblock", f"<unblock xmlns='{BLOCKING}'/>")
    gateway.parts.guard.lists_changed(parse_jid(ROMEO))  # at once, not within a second
    assert (refused(PARIS), refused(TYBALT)) == (False, False)
