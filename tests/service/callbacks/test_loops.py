"""A callback never answers by itself what a room says, is not told of its own words, and answers nobody without bound."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.botapp import BOT, BotApp, MakeBot, eventually
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from tests.webservice import Answer, Service
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.callbacks.reflections import Reflections
from xmpp_rest.service.callbacks.reply_sender import ReplyGuard

LIGHT, ROOMS = f"muclight.{DOMAIN}", f"conference.{DOMAIN}"
ROOM = "garden@rooms.montague.example"
USER = "http://jabber.org/protocol/muc#user"
JSON = "application/json"
HI = Answer(200, '{"body":"hi","type":"groupchat"}', JSON)


def spoken(text: str, nick: str = "romeo", extra: str = "", kind: str = "groupchat") -> str:
    return f"<message from='{ROOM}/{nick}' to='{BOT}' type='{kind}' id='{text}'><body>{text}</body>{extra}</message>"


def seen(service: Service) -> int:
    return len([r for r in service.drain() if r.method == "POST"])


def settled(app: BotApp) -> bool:
    pool = app.gateway.parts.callbacks.queues["bot"].pool
    return not pool.waiting and not pool._jobs


# no answer by itself


ANNOUNCED = [
    spoken("one"),
    spoken("two", extra="<request xmlns='urn:xmpp:receipts'/>"),
    spoken("three", kind="chat", extra=f"<x xmlns='{USER}'/>"),
    f"<presence from='{ROOM}/romeo' to='{BOT}'><x xmlns='{USER}'><item affiliation='none' role='participant'/></x></presence>",
    f"<presence from='{ROOM}/romeo' to='{BOT}' type='unavailable'><x xmlns='{USER}'/></presence>",
    f"<message from='{ROOM}' to='{BOT}' id='s'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'/></event></message>",
    f"<message from='{ROOM}' to='{BOT}' type='groupchat'><subject>Roses</subject></message>",
]
UNDUE = [
    f"<message from='romeo@montague.example/o' to='{BOT}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
    f"<message from='romeo@montague.example/o' to='{BOT}'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
    f"<message from='romeo@montague.example/o' to='{BOT}'/>",
]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 302, 400, 404, 500, 503])
def test_what_a_room_says_is_never_answered_by_itself(make_bot: MakeBot, service: Service, status: int) -> None:
    service.answers["/"] = Answer(status)
    app = make_bot(service.url("/"))
    for stanza in ANNOUNCED:
        app.come(stanza)
    for _ in ANNOUNCED:
        service.wait(lambda _: True)
    eventually(lambda: settled(app))
    assert app.outside == []


def test_nor_where_nobody_listens(make_bot: MakeBot) -> None:
    app = make_bot("http://127.0.0.1:1/")
    for stanza in ANNOUNCED:
        app.come(stanza)
    eventually(lambda: len(app.client.get("/rest/callbacks/bot/dead", headers=basic("admin")).json["dead"]) == len(ANNOUNCED))  # type: ignore[index]
    assert app.outside == []


def test_an_error_of_the_url_is_not_sent_to_a_room(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(404, '{"type":"error","error":{"type":"cancel","condition":"item-not-found"}}', JSON)
    app = make_bot(service.url("/"))
    for stanza in (ANNOUNCED[0], ANNOUNCED[2]):
        app.come(stanza)
        service.wait(lambda _: True)
    eventually(lambda: settled(app))
    assert app.outside == []


def test_an_empty_answer_to_what_has_no_text_is_none(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(200)
    app = make_bot(service.url("/"))
    for stanza in UNDUE:
        app.come(stanza)
        service.wait(lambda _: True)
    eventually(lambda: settled(app))
    assert app.outside == []


def test_what_the_url_itself_says_goes_to_the_room(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = HI
    app = make_bot(service.url("/"))
    app.come(spoken("hello"))
    (said,) = eventually(lambda: app.outside)
    assert (said.get("to"), said.get("type"), said.findtext("body")) == (ROOM, "groupchat", "hi")


def test_an_iq_from_a_room_is_answered(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"))
    app.come(f"<iq type='get' from='{ROOM}/romeo' to='{BOT}' id='v'><query xmlns='jabber:iq:version'/></iq>")
    (answer,) = eventually(lambda: app.outside)
    assert (answer.get("type"), answer.get("id")) == ("result", "v")


# its own words


def test_reflection_of_a_reply_is_not_posted(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = HI
    app = make_bot(service.url("/"))
    app.come(spoken("hello"))
    (said,) = eventually(lambda: app.outside)
    service.wait(lambda _: True)
    app.come(f"<message from='{ROOM}/friar' to='{BOT}' type='groupchat' id='{said.get('id')}'><body>hi</body></message>")
    app.come(spoken("other"))
    assert service.wait(lambda _: True).body.count(b"other")


def test_reflection_by_nick(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"))
    own = f"<x xmlns='{USER}'><item affiliation='none' role='participant'/><status code='110'/></x>"
    presence = "<presence from='{}/{}' to='{}/x' {}>{}</presence>"
    app.come(presence.format(ROOM, "friar", BOT, "", own))
    app.come(spoken("mine", "friar"))
    app.come(spoken("theirs"))
    service.wait(lambda r: b"presence" in r.body)
    assert b"theirs" in service.wait(lambda _: True).body
    app.come(presence.format(ROOM, "friar", BOT, "type='unavailable'", own))
    service.wait(lambda r: b"presence" in r.body)
    app.come(spoken("of another friar", "friar"))
    assert b"of another friar" in service.wait(lambda _: True).body


def test_reflection_in_a_muc_light_room(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"))
    app.come(spoken("mine", BOT))
    app.come(spoken("theirs", "romeo@montague.example"))
    assert b"theirs" in service.wait(lambda _: True).body


def test_reflections_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.service.callbacks.reflections.MAX_KNOWN", 10)
    known = Reflections()
    bot, room = parse_jid(BOT), parse_jid(f"{ROOM}/friar")
    for n in range(1000):
        known.record(bot, room, str(n))
    stanza = "<message type='groupchat' id='{}'/>"
    assert [known.observe(parse_text(stanza.format(n)), room, bot) for n in (989, 990, 999)] == [False, True, True]


# no more than so many


def test_reply_rate_of_the_guard() -> None:
    now = 100.0
    guard = ReplyGuard(10, lambda: now)
    source, to = parse_jid(BOT), parse_jid("romeo@montague.example/a")
    sent = 0
    for tick in range(500):
        now = 100 + tick / 100
        while not guard.wait(source, to):
            sent += 1
    assert 10 + 49 <= sent <= 10 + 51
    assert 0 < guard.wait(source, to.bare) <= 0.1, "whatever the resource"
    assert guard.wait(source, parse_jid("nurse@montague.example")) == 0
    now += 1000
    assert sum(not guard.wait(source, to) for _ in range(100)) == 10, "what was not used is not saved up"


@pytest.fixture
def pair(make_app: MakeApp, service: Service) -> BotApp:
    """Two bots of one gateway, at the same URL."""
    settings = {f"callback_{n}_{k}": v for n in ("one", "two") for k, v in (("url", service.url("/")), ("content_type", "json"))}
    app = BotApp(make_app(**settings, callback_one_address=f"one@{DOMAIN}", callback_two_address=f"two@{DOMAIN}"))
    app.gateway.parts.accounts.register(parse_jid(f"juliet@{DOMAIN}"), PASSWORD)
    app.gateway.start()
    return app


def begin(app: BotApp, kind: str = "message") -> None:
    """One bot says something to the other."""
    stanza = f"<{kind} from='one@{DOMAIN}' to='two@{DOMAIN}' id='0'>" + ("<body>well?</body>" if kind == "message" else "") + f"</{kind}>"
    app.gateway.parts.router.send(parse_text(stanza))


@pytest.mark.parametrize("answer", [Answer(200, '{"body":"and you?","type":"chat"}', JSON), Answer(200, "and you?", "text/plain")])
def test_reply_rate_between_two_bots(pair: BotApp, service: Service, answer: Answer) -> None:
    service.answers["/"] = answer
    begin(pair)
    started = time.monotonic()
    for _ in range(60):  # 20 each go at once, ten more each take half a second
        service.wait(lambda _: True)
    assert time.monotonic() - started > 0.4
    seen(service)
    started = time.monotonic()
    for _ in range(40):
        service.wait(lambda _: True)
    assert time.monotonic() - started > 0.8


@pytest.mark.parametrize("status", [200, 404, 500])
def test_bots_that_say_nothing_end_at_once(pair: BotApp, service: Service, status: int) -> None:
    service.answers["/"] = Answer(status)
    begin(pair)
    for _ in range(2):
        service.wait(lambda _: True)
    with pytest.raises(TimeoutError):
        service.wait(lambda _: True, timeout=0.5)


def test_presence_that_is_answered_by_presence_ends(pair: BotApp, service: Service) -> None:
    """An empty reply that would come too soon is left out, so that the last one is soon sent."""
    service.answers["/"] = Answer(200)
    started, last, count = time.monotonic(), 0.0, 0
    begin(pair, "presence")
    while count < 1000 and _came(service):
        last, count = time.monotonic(), count + 1
    assert 2 <= count <= 5 + 2 * 20 * (1 + last - started)  # each of the two at most 20 a second, and those of one second at once
    assert pair.gateway.incidents.counts()["callback-replies"] >= 1


def _came(service: Service) -> bool:
    try:
        service.wait(lambda _: True, timeout=1)
    except TimeoutError:
        return False
    return True


def test_many_messages_of_one_sender_are_all_answered(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = lambda request: Answer(200, request.body, JSON)
    app = make_bot(service.url("/"))
    for n in range(60):
        app.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='{n}' type='chat'><body>{n}</body></message>")
    eventually(lambda: [s.findtext("body") for s in app.outside] == [str(n) for n in range(60)])


def test_an_iq_is_answered_at_once_however_many_there_are(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"), reply_rate="1")
    started = time.monotonic()
    for n in range(40):
        app.come(f"<iq type='get' from='romeo@montague.example/o' to='{BOT}' id='{n}'><ping xmlns='urn:xmpp:ping'/></iq>")
    eventually(lambda: len(app.outside) == 40)
    assert time.monotonic() - started < 20, "one a second would take 40"


# who brings a bot into a room


def api(app: BotApp, user: str, method: str, path: str, /, **body: Any) -> int:
    auth = basic(f"{user}@{DOMAIN}")
    return app.client.open(f"/api/{path}", method=method, json=body or None, headers=auth).status_code


def light_room(app: BotApp, user: str) -> str:
    answer = app.client.post("/api/rooms", json={"name": "n", "subject": "s"}, headers=basic(f"{user}@{DOMAIN}"))
    assert answer.json is not None
    name: str = answer.json["id"]
    return name


def occupants(app: BotApp, room: str) -> set[str]:
    assert app.gateway.parts.muclight
    found = app.gateway.parts.muclight._rooms.load(room)
    return {str(user) for user in found.affiliations} if found else set()


@pytest.mark.parametrize(("user", "status", "inside"), [("juliet", 403, False), ("admin", 204, True)])
def test_the_client_api_adds_bots_for_administrators(make_bot: MakeBot, service: Service, user: str, status: int, inside: bool) -> None:
    app = make_bot(service.url("/"))
    room = light_room(app, user)
    assert api(app, user, "POST", f"rooms/{room}/users", user=BOT) == status
    assert (BOT in occupants(app, room)) is inside
    assert api(app, user, "POST", f"rooms/{room}/users", user=f"nurse@{DOMAIN}") == 204, "people as before"
    made = api(app, user, "PUT", "rooms/another", name="n", subject="s", participants=[f"nurse@{DOMAIN}", BOT])
    assert (made == 201, BOT in occupants(app, "another")) == (inside, inside)


def light_iq(app: BotApp, sender: str, query: str, name: str) -> str:
    stanza = f"<iq type='set' id='1' from='{sender}' to='{name}@{LIGHT}'>{query}</iq>"
    answer = app.gateway.parts.router.deliver(parse_text(stanza), parse_jid(sender), parse_jid(f"{name}@{LIGHT}"))
    assert answer is not None
    assert not isinstance(answer, Exception)
    return str(answer.get("type"))


@pytest.mark.parametrize(("sender", "kind"), [("romeo@montague.example/o", "error"), (f"juliet@{DOMAIN}/o", "error"), (f"admin@{DOMAIN}/o", "result"), (f"{BOT}/o", "result")])
def test_an_iq_adds_bots_for_administrators(make_bot: MakeBot, service: Service, sender: str, kind: str) -> None:
    app = make_bot(service.url("/"))
    create = "<query xmlns='urn:xmpp:muclight:0#create'><configuration/><occupants>{}</occupants></query>"
    member = "<user affiliation='member'>{}</user>"
    if sender != f"{BOT}/o":
        assert light_iq(app, sender, create.format(member.format(BOT)), "made") == kind
        assert (BOT in occupants(app, "made")) == (kind == "result")
    assert light_iq(app, sender, create.format(member.format(f"nurse@{DOMAIN}")), "plain") == "result"
    if sender == f"{BOT}/o":
        return
    change = "<query xmlns='urn:xmpp:muclight:0#affiliations'>{}</query>"
    for affiliation in ("member", "owner"):
        user = f"<user affiliation='{affiliation}'>{BOT}</user>"
        assert light_iq(app, sender, change.format(user), "plain") == kind
        assert (BOT in occupants(app, "plain")) == (kind == "result")


def test_a_setting_opens_rooms_to_anyone(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"), invited_by="anyone")
    room = light_room(app, "juliet")
    assert api(app, "juliet", "POST", f"rooms/{room}/users", user=BOT) == 204


def test_a_domain_behind_a_callback_is_full_of_bots(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"), address=DOMAIN)
    room = light_room(app, "juliet")
    assert api(app, "juliet", "POST", f"rooms/{room}/users", user=f"whoever@{DOMAIN}") == 403
    assert api(app, "juliet", "POST", f"rooms/{room}/users", user=f"nurse@{DOMAIN}") == 204
    assert api(app, "juliet", "POST", f"rooms/{room}/users", user="romeo@montague.example") == 204


RULE = {"rights_open_who": "account", "rights_open_what": "subscribe_room, subscribe_room_many, create_room_with_opts"}


@pytest.mark.parametrize(("user", "done"), [("juliet", False), ("admin", True)])
def test_commands_subscribe_bots_for_administrators(make_app: MakeApp, service: Service, user: str, done: bool) -> None:
    settings = {"callback_bot_url": service.url("/"), "callback_bot_address": BOT} | RULE
    app = BotApp(make_app(**settings))
    app.gateway.parts.accounts.register(parse_jid(f"juliet@{DOMAIN}"), PASSWORD)
    app.gateway.start()
    rooms = app.gateway.parts.conference
    assert rooms
    rooms.create("hall", {"allow_subscription": "true", "persistent": "true"}, [], [])
    nodes = ["urn:xmpp:mucsub:nodes:messages"]
    made = {"room": "made", "service": ROOMS, "host": DOMAIN, "options": [{"name": "subscribers", "value": f"{BOT}=Bot=messages"}]}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("subscribe_room/v3", {"user": "bot", "host": DOMAIN, "nick": "Bot", "room": "hall", "service": ROOMS, "nodes": nodes}),
        ("subscribe_room/v1", {"user": f"{BOT}/x", "nick": "Bot", "room": f"hall@{ROOMS}", "nodes": nodes}),
        ("subscribe_room/v0", {"user": f"{BOT}/x", "nick": "Bot", "room": f"hall@{ROOMS}", "nodes": nodes[0]}),
        ("subscribe_room_many/v1", {"users": [{"jid": BOT, "nick": "Bot"}], "room": f"hall@{ROOMS}", "nodes": nodes}),
        ("create_room_with_opts", made),
    ]
    for path, arguments in calls:
        assert (api(app, user, "POST", path, **arguments) == 200) is done, path
    assert (BOT in rooms.subscribers("hall")) is done
    plain = {"user": f"juliet@{DOMAIN}", "nick": "Juliet", "room": f"hall@{ROOMS}", "nodes": nodes}
    assert api(app, user, "POST", "subscribe_room/v1", **plain) == 200


def test_a_moderator_subscribes_no_bot(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"))
    rooms = app.gateway.parts.conference
    assert rooms
    rooms.create("hall", {"allow_subscription": "true", "persistent": "true"}, [["romeo@montague.example", "owner"]], [])
    nurse = "nurse@verona.example"
    for jid, kind in ((BOT, "error"), (nurse, "result")):
        query = f"<subscribe xmlns='urn:xmpp:mucsub:0' jid='{jid}' nick='{jid[:3]}'><event node='urn:xmpp:mucsub:nodes:messages'/></subscribe>"
        sender = parse_jid("romeo@montague.example/o")
        stanza = f"<iq type='set' id='1' from='{sender}' to='hall@{ROOMS}'>{query}</iq>"
        answer = app.gateway.parts.router.deliver(parse_text(stanza), sender, parse_jid(f"hall@{ROOMS}"))
        assert answer is not None
        assert answer.get("type") == kind
    assert rooms.subscribers("hall") == [nurse]
