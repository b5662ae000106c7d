"""The scenarios: what is measured, against which peers, with which target. Data alone."""

from __future__ import annotations

from typing import NamedTuple

from bench.peers import PLAIN, SINK
from bench.peers import SOLO as BENCH_SOLO
from tests.live.xmppserver import DOMAIN, GATEWAY

XML, JSON = "application/xmpp+xml", "application/json"
BEARER = "message, Bearer / plain"
SEND_MESSAGE = "send_message, token / no password check"
CHAT = f'<message to="friar@{SINK}" type="chat"><body>wisely and slow; they stumble that run fast %n</body></message>'
PING = '<iq type="get" to="{}"><ping xmlns="urn:xmpp:ping"/></iq>'
ECHO = f'{{"kind":"message","to":"friar@{SINK}","type":"chat","body":"wisely and slow %n","replace":"m1"}}'
DOCUMENT = '{"theme":"dark","zoom":1.5,"folders":["inbox","sent"],"name":"Juliet","n":"%n"}'
COMMAND = f'{{"type":"chat","from":"WHO@HOST","to":"friar@{SINK}","subject":"","body":"wisely and slow %n"}}'


class Ask(NamedTuple):
    """A request. `server` and `who` are names that bench/__main__.py knows."""

    server: str
    who: str
    method: str
    path: str
    body: str = ""
    kind: str = ""


class Scenario(NamedTuple):
    """Ours and, where there is one, the peer's; `target` is the ratio of the rates to reach. `floor`: the least that does as much."""

    name: str
    ours: Ask
    theirs: Ask | None = None
    target: float | None = None
    floor: Ask | None = None

    @property
    def alone(self) -> Ask | None:
        """The same of the gateway with one worker."""
        ask = self.ours
        if ask.server != OURS:
            return None
        who = ask.who if ask.who == "fixed" else f"{ask.who}, solo"
        return ask._replace(server=SOLO, who=who, body=ask.body.replace(GATEWAY, BENCH_SOLO))

    @property
    def floor_alone(self) -> Ask | None:
        """The floor's with one worker."""
        return self.floor._replace(server=BAREST_SOLO) if self.floor else None


OURS, SOLO, MOD_REST, MOD_DATA, EJABBERD = "gateway", "one worker", "mod_rest", "mod_data_access", "ejabberd"
FLOOR, BAREST, BAREST_SOLO = "empty Flask view", "least Flask application", "least Flask application, one worker"


def _message(server: str, who: str) -> Ask:
    return Ask(server, who, "POST", "/rest", CHAT, XML)


def _ping(server: str, who: str, to: str) -> Ask:
    return Ask(server, who, "POST", "/rest", PING.format(to), XML)


def _echo(server: str, who: str) -> Ask:
    return Ask(server, who, "POST", "/rest/echo", ECHO, JSON)


def _data(server: str, who: str, method: str, store: str) -> Ask:
    return Ask(server, who, method, f"/data/{store}", *(() if method == "GET" else (DOCUMENT, JSON)))


def _command(server: str, who: str, name: str, host: str) -> Ask:
    sender = f"{'juliet' if host == DOMAIN else 'romeo'}@{host}"
    body = COMMAND.replace("WHO@HOST", sender) if name == "send_message" else f'{{"host":"{host}"}}'
    return Ask(server, who, "POST", f"/api/{name}", body, JSON)


LEAST_MESSAGE = Ask(BAREST, "fixed", "POST", "/message", CHAT, XML)
LEAST_IQ = Ask(BAREST, "fixed", "POST", "/iq", PING.format(DOMAIN), XML)
LEAST_ECHO = Ask(BAREST, "fixed", "POST", "/echo", ECHO, JSON)
LEAST_PUT, LEAST_GET, LEAST_POST = (
    _data(BAREST, "romeo", method, store) for method, store in (("PUT", "settings"), ("GET", "settings"), ("POST", "wishes"))
)

SCENARIOS = (
    Scenario("an empty Flask view (the floor)", Ask(FLOOR, "nobody", "POST", "/", CHAT, XML)),
    Scenario("a Flask view and a bare socket", Ask(BAREST, "nobody", "POST", "/bare", CHAT, XML), _message(MOD_REST, "juliet, plain")),
    Scenario("message, hashed password", _message(OURS, "romeo"), _message(MOD_REST, "juliet"), 8, LEAST_MESSAGE),
    Scenario(BEARER, _message(OURS, "fixed"), _message(MOD_REST, "juliet, plain"), 1.25, LEAST_MESSAGE),
    Scenario("iq ping, Bearer / plain", _ping(OURS, "fixed", DOMAIN), _ping(MOD_REST, "juliet, plain", PLAIN), 1.25, LEAST_IQ),
    Scenario("JSON echo, Bearer / plain", _echo(OURS, "fixed"), _echo(MOD_REST, "juliet, plain"), 4, LEAST_ECHO),
    Scenario("/data PUT, hashed", _data(OURS, "romeo", "PUT", "settings"), _data(MOD_DATA, "juliet@", "PUT", "settings"), 8, LEAST_PUT),
    Scenario("/data GET, hashed", _data(OURS, "romeo", "GET", "settings"), _data(MOD_DATA, "juliet@", "GET", "settings"), 18, LEAST_GET),
    Scenario("/data POST, hashed", _data(OURS, "romeo", "POST", "wishes"), _data(MOD_DATA, "juliet@", "POST", "wishes"), 6, LEAST_POST),
    Scenario(
        "registered_users, hashed", _command(OURS, "admin", "registered_users", GATEWAY),
        _command(EJABBERD, "juliet@", "registered_users", DOMAIN),
    ),
    Scenario(
        "send_message, hashed admin", _command(OURS, "admin", "send_message", GATEWAY),
        _command(EJABBERD, "juliet@", "send_message", DOMAIN), None, LEAST_MESSAGE,
    ),
    Scenario(
        SEND_MESSAGE, _command(OURS, "issued", "send_message", GATEWAY),
        _command(EJABBERD, "nobody", "send_message", DOMAIN), None, LEAST_MESSAGE,
    ),
    Scenario(
        "send_message, token / message, Bearer, of ours",
        _command(OURS, "issued", "send_message", GATEWAY), _message(OURS, "fixed"), 0.75,
    ),
    Scenario("POST /api/messages, hashed", Ask(OURS, "romeo", "POST", "/api/messages", f'{{"to":"friar@{SINK}","body":"slow %n"}}', JSON)),
    Scenario("GET /api/messages (a page of 10), hashed", Ask(OURS, "romeo", "GET", "/api/messages?limit=10")),
)  # fmt: skip
