"""Accounts that a Prosody and a gateway both change: registration, passwords, contacts and private data, in files and in databases.

The database is made by Prosody, and taken over by the gateway.
"""

from __future__ import annotations

import time

from .closing import soon_closed
from .shared import Shared, bodies, page
from .users import User
from .xmppserver import DOMAIN, PASSWORD

NEW, NEWEST = "a pair of star-crossed lovers", "two hours' traffic"
ROSTER = "jabber:iq:roster"
REGISTER = "jabber:iq:register"
READ = 'local t = module:open_store("settings"):get("joy"); return table.concat({t.theme, t.zoom, tostring(t.on), t.deep.list[2]}, " ")'
WRITE = 'return module:open_store("settings"):set("joy", { theme = "light", zoom = 2 })'


def jid(name: str) -> str:
    return f"{name}@{DOMAIN}"


def roster(user: User) -> dict[str, tuple[str, str]]:
    """Contact → subscription and name, as Prosody has it."""
    answer = user.iq(user.bare, f"<query xmlns='{ROSTER}'/>")
    return {item.get("jid", ""): (item.get("subscription", ""), item.get("name", "")) for item in answer.iter(f"{{{ROSTER}}}item")}


def contacts(shared: Shared, user: str) -> dict[str, tuple[str, str]]:
    """Contact → subscription and ask, as the gateway has it."""
    status, items = shared.ask("GET", "/api/contacts", user)
    assert status == 200
    return {item["jid"]: (item["subscription"], item["ask"]) for item in items}


def token(shared: Shared, name: str) -> str:
    result = shared.command("oauth_issue_token", jid=jid(name), ttl=3600, scopes=["ejabberd:user"])
    return str(result["token"])


def opened_by(shared: Shared, text: str) -> int:
    return shared.gateway().http.request("GET", "/api/contacts", headers={"Authorization": f"Bearer {text}"}).status


def pause() -> None:
    """Into the next second: what is issued in the second of a change counts as issued after it."""
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.02)


def refused(shared: Shared, name: str, password: str) -> bool:
    """Whether Prosody refuses a client with this password."""
    try:
        with shared.online(name, password=password):
            return False
    except (ConnectionRefusedError, TimeoutError):
        return True


def test_an_account_that_the_gateway_removes(shared: Shared) -> None:
    """Who gets the name finds nothing of the former owner, and Prosody shows all that comes then."""
    shared.make_by_prosody("ada", "bob")
    with shared.online("ada", "bob") as (ada, bob):
        ada.send_message(jid("bob"), "old")
        bob.wait_message("old")
        assert [kept.body for kept in page(bob)] == ["old"]
        bob.iq(bob.bare, f"<query xmlns='{ROSTER}'><item jid='{jid('ada')}' name='A'/></query>", "set")
    with shared.online("ada") as (ada,):
        ada.send_message(jid("bob"), "waiting")
    old = token(shared, "bob")
    shared.command("unregister", user="bob", host=DOMAIN)
    assert shared.ask("GET", "/api/contacts", "bob")[0] == opened_by(shared, old) == 401
    shared.make_by_gateway("bob")
    assert (shared.history("bob"), contacts(shared, "bob"), opened_by(shared, old)) == ([], {}, 401)
    shared.say("ada", "bob", "o")
    with shared.online("ada", "bob") as (ada, bob):
        assert bodies(bob) == ["o"]
        assert roster(bob) == {}
        ada.send_message(jid("bob"), "p")
        bob.wait_message("p")
        assert [kept.body for kept in page(bob)] == ["o", "p"]
        assert [kept.body for kept in page(ada)] == ["old", "waiting", "o", "p"]


def test_an_account_that_its_owner_removes_at_prosody(shared: Shared) -> None:
    shared.make_by_gateway("cal", "deb")
    shared.say("cal", "deb", "old")
    assert shared.ask("POST", "/api/contacts", "deb", body={"jid": jid("cal")})[0] == 204
    old = token(shared, "deb")
    with shared.online("cal") as (cal,):
        deb = User(shared.loop, shared.server, "deb").connect()
        deb.send(f"<iq type='set' id='r'><query xmlns='{REGISTER}'><remove/></query></iq>")
        assert deb.wait(lambda stanza: stanza.get("id") == "r").get("type") == "result"
        deb.close()
        cal.drain()
    assert soon_closed(lambda: shared.ask("GET", "/api/contacts", "deb")[0])
    assert soon_closed(lambda: opened_by(shared, old))
    shared.make_by_gateway("deb")
    assert (shared.history("deb"), contacts(shared, "deb"), opened_by(shared, old)) == ([], {}, 401)
    shared.say("cal", "deb", "o")
    with shared.online("deb") as (deb,):
        assert bodies(deb) == ["o"]
        assert [kept.body for kept in page(deb)] == ["o"]


def test_passwords(shared: Shared) -> None:
    shared.make_by_prosody("eli")
    old = token(shared, "eli")
    assert opened_by(shared, old) == 200
    pause()
    with shared.online("eli") as (eli,):
        change = f"<query xmlns='{REGISTER}'><username>eli</username><password>{NEW}</password></query>"
        assert eli.iq(DOMAIN, change, "set").get("type") == "result"
    assert shared.ask("GET", "/api/contacts", "eli", NEW)[0] == 200
    assert soon_closed(lambda: opened_by(shared, old))
    assert soon_closed(lambda: shared.ask("GET", "/api/contacts", "eli", PASSWORD)[0])
    pause()
    newer = token(shared, "eli")
    assert opened_by(shared, newer) == 200
    shared.command("change_password", user="eli", host=DOMAIN, newpass=NEWEST)
    pause()
    assert [opened_by(shared, one) for one in (old, newer)] == [401, 401]
    assert [refused(shared, "eli", password) for password in (PASSWORD, NEW, NEWEST)] == [True, True, False]


def test_a_ban(shared: Shared) -> None:
    """Prosody 13 knows of disabled accounts, 0.12 does not."""
    shared.make_by_gateway("fae")
    shared.command("ban_account", user="fae", host=DOMAIN, reason="noise")
    assert shared.ask("GET", "/api/contacts", "fae")[0] == 401
    assert refused(shared, "fae", PASSWORD) or not shared.prosody().is_13()
    shared.command("unban_account", user="fae", host=DOMAIN)
    assert shared.ask("GET", "/api/contacts", "fae")[0] == 200
    assert not refused(shared, "fae", PASSWORD)


def test_contacts(shared: Shared) -> None:
    shared.make_by_prosody("gil", "hue", "ivy")
    with shared.online("gil", "hue") as (gil, hue):
        gil.iq(gil.bare, f"<query xmlns='{ROSTER}'><item jid='{jid('ivy')}' name='The ivy'><group>G</group></item></query>", "set")
        gil.send(f"<presence to='{jid('hue')}' type='subscribe'/>")
        hue.wait(lambda stanza: stanza.get("type") == "subscribe")
    assert contacts(shared, "gil") == {jid("ivy"): ("none", "none"), jid("hue"): ("none", "out")}
    assert contacts(shared, "hue") == {jid("gil"): ("none", "in")}
    assert shared.ask("PUT", f"/api/contacts/{jid('gil')}", "hue", body={"action": "accept"})[0] == 204
    assert contacts(shared, "gil")[jid("hue")] == ("to", "none")
    assert shared.ask("PUT", f"/api/contacts/{jid('hue')}", "ivy", body={"action": "invite"})[0] in (204, 404)
    assert shared.ask("POST", "/api/contacts", "ivy", body={"jid": jid("hue")})[0] == 204
    with shared.online("gil", "hue", "ivy") as (gil, hue, ivy):
        assert roster(gil) == {jid("ivy"): ("none", "The ivy"), jid("hue"): ("to", "")}
        assert roster(hue)[jid("gil")] == ("from", "")
        assert list(roster(ivy)) == [jid("hue")]
        hue.send("<presence><status>here</status></presence>")
        gil.wait(lambda stanza: stanza.findtext("{*}status") == "here")
        gil.iq(gil.bare, f"<query xmlns='{ROSTER}'><item jid='{jid('ivy')}' subscription='remove'/></query>", "set")
    assert shared.ask("DELETE", f"/api/contacts/{jid('gil')}", "hue")[0] == 204
    assert [contacts(shared, name).get(jid("gil")) for name in ("hue", "ivy")] == [None, None]
    assert contacts(shared, "gil") == {jid("hue"): ("none", "none")}
    with shared.online("gil") as (gil,):
        assert roster(gil) == {jid("hue"): ("none", "")}


def test_private_data_and_stores(shared: Shared) -> None:
    shared.make_by_prosody("joy")
    with shared.online("joy") as (joy,):
        joy.iq(joy.bare, "<query xmlns='jabber:iq:private'><scene xmlns='play'>balcony</scene></query>", "set")
    arguments = {"user": "joy", "host": DOMAIN}
    assert "balcony" in shared.command("private_get", **arguments, element="scene", ns="play")
    for text in ("tomb", "orchard"):
        shared.command("private_set", **arguments, element=f"<{text} xmlns='{text}'>{text}</{text}>")
    settings = {"theme": "dark", "zoom": 1.5, "on": True, "deep": {"list": [1, 2]}}
    assert shared.ask("PUT", "/data/settings", "joy", body=settings)[0] == 201
    with shared.online("joy") as (joy,):
        for element, namespace, text in (("scene", "play", "balcony"), ("tomb", "tomb", "tomb"), ("orchard", "orchard", "orchard")):
            answer = joy.iq(joy.bare, f"<query xmlns='jabber:iq:private'><{element} xmlns='{namespace}'/></query>")
            assert answer.findtext(f"{{*}}query/{{{namespace}}}{element}") == text
    assert shared.prosody().do(READ) == "dark 1.5 true 2"
    assert shared.prosody().do(WRITE) == "true"
    assert shared.ask("GET", "/data/settings", "joy") == (200, {"theme": "light", "zoom": 2})
