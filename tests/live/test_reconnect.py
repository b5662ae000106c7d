"""The link, and what waits for it, when the server or the network goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import urllib3

from .callback import Callback
from .conftest import ONE_STREAM, bots
from .gateway import Gateway
from .proxy import Proxy
from .users import EventLoop, User
from .xmppserver import DOMAIN, GATEWAY, UNKNOWN, XMPPServer

PING = "<ping xmlns='urn:xmpp:ping'/>"
CALM = {"retry_max": 4}
"""Seconds; a refused login is tried again after 2 to 4 seconds, and then after 4 to 8."""
Start = Callable[..., Gateway]


def down(gateway: Gateway) -> dict[str, object]:
    return gateway.wait_streams(lambda streams: all(s["state"] != "online" for s in streams.values()))[GATEWAY]


def in_background(call: Callable[[], urllib3.BaseHTTPResponse]) -> Callable[[], urllib3.BaseHTTPResponse]:
    """Start a request in a thread; the function that waits for its answer."""
    answers: list[urllib3.BaseHTTPResponse] = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()

    def answer() -> urllib3.BaseHTTPResponse:
        thread.join(30)
        return answers[0]

    return answer


@pytest.mark.parametrize("end", [XMPPServer.stop, XMPPServer.kill], ids=["stop", "kill"])
def test_the_server_restarts(
    server: XMPPServer, event_loop_thread: EventLoop, start_gateway: Start, end: Callable[[XMPPServer], None], web: Callback
) -> None:
    gateway = start_gateway(server.component_port, {**ONE_STREAM, **bots(web)})
    gateway.register("romeo")
    gateway.wait_state("online")
    end(server)
    down(gateway)
    assert gateway.post_xml(f"<iq to='{DOMAIN}' type='get'>{PING}</iq>", "romeo").status == 503
    gateway.send(f"<message to='juliet@{DOMAIN}' type='chat'><body>meanwhile</body></message>", "romeo")
    server.start()
    gateway.wait_state("online")
    juliet = User(event_loop_thread, server, "juliet")
    juliet.connect()
    try:
        gateway.send(f"<message to='{juliet.jid}' type='chat'><body>again</body></message>", "romeo")
        juliet.wait_message("again")
        juliet.send_message(f"bot@{GATEWAY}", "back again")
        web.wait_body("back again", "/bot")
        assert gateway.post_xml(f"<iq to='{DOMAIN}' type='get'>{PING}</iq>", "romeo").status == 200
    finally:
        juliet.close()


def test_the_gateway_starts_before_the_server(server: XMPPServer, start_gateway: Start, relay: Proxy, juliet: User) -> None:
    relay.up = False
    gateway = start_gateway(relay.port)
    gateway.register("romeo")
    gateway.send(f"<message to='{juliet.jid}' type='chat'><body>early</body></message>", "romeo")
    down(gateway)
    relay.up = True
    gateway.wait_state("online")
    juliet.wait_message("early")


def test_messages_wait_for_the_link_in_order(start_gateway: Start, relay: Proxy, juliet: User) -> None:
    gateway = start_gateway(relay.port)
    gateway.register("romeo")
    gateway.wait_state("online")
    relay.up = False
    relay.cut()
    down(gateway)
    for n in range(50):
        gateway.send(f"<message to='{juliet.jid}' type='chat'><body>{n}</body></message>", "romeo")
    relay.up = True
    assert [juliet.wait_message().findtext("{*}body") for _ in range(50)] == [str(n) for n in range(50)]


def test_a_waiting_iq_fails_at_once(start_gateway: Start, relay: Proxy, juliet: User) -> None:
    gateway = start_gateway(relay.port)
    gateway.register("romeo")
    gateway.wait_state("online")
    juliet.deaf = True
    iq = f"<iq to='{juliet.jid}' type='get'>{PING}</iq>"
    answer = in_background(lambda: gateway.post_xml(iq, "romeo", Accept="application/json", Prosody_Rest_Timeout="60"))
    juliet.wait(lambda s: s.find("{urn:xmpp:ping}ping") is not None)
    cut = time.monotonic()
    relay.cut()
    failed = answer()
    assert time.monotonic() - cut < 30, "half of its time"
    assert failed.status in (500, 503)
    assert failed.json()["error"]["type"] == "wait"


def test_status_and_log_tell_down_and_up(start_gateway: Start, relay: Proxy) -> None:
    gateway = start_gateway(relay.port)
    assert gateway.wait_state("online")[GATEWAY]["accepted"] == 1
    relay.up = False
    relay.cut()
    gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] == "waiting" and bool(streams[GATEWAY]["reason"]))
    relay.up = True
    assert gateway.wait_state("online")[GATEWAY]["accepted"] == 2
    assert "is down" in gateway.log()
    assert gateway.log().count("is up") == 2


def refused(gateway: Gateway, reason: str, domain: str = GATEWAY) -> None:
    """The status names the reason, and the log what to do."""
    stream = gateway.wait_streams(lambda streams: streams[domain]["reason"] == reason)[domain]
    assert stream["state"] != "online"
    assert reason in gateway.log()


def no_storm(relay: Proxy, seconds: float = 4.0) -> None:
    """Refused logins are tried again rarely."""
    time.sleep(seconds)
    assert len(relay.attempts) <= 3, relay.attempts


def test_a_wrong_secret(start_gateway: Start, relay: Proxy) -> None:
    gateway = start_gateway(relay.port, {**ONE_STREAM, "link": {"secret": "wrong", **CALM}})
    refused(gateway, "not-authorized")
    assert "secret" in gateway.log()
    assert "wrong" not in gateway.log()
    no_storm(relay)


def test_an_unknown_host(server: XMPPServer, start_gateway: Start, relay: Proxy) -> None:
    gateway = start_gateway(relay.port, {"gateway": {**ONE_STREAM["gateway"], "domain": UNKNOWN}, "link": CALM})
    if server.any_component:
        gateway.wait_state("online")
        return
    refused(gateway, "host-unknown", UNKNOWN)
    no_storm(relay)


def test_a_second_gateway(server: XMPPServer, start_gateway: Start, relay: Proxy, juliet: User) -> None:
    first = start_gateway(server.component_port)
    first.register("romeo")
    first.wait_state("online")
    second = start_gateway(relay.port, {**ONE_STREAM, "link": CALM})
    if not server.one_connection_per_component:
        second.wait_state("online")
        assert len(relay.attempts) == 1
        return
    refused(second, "conflict")
    no_storm(relay)
    first.send(f"<message to='{juliet.jid}' type='chat'><body>undisturbed</body></message>", "romeo")
    juliet.wait_message("undisturbed")
    assert first.streams()[GATEWAY]["accepted"] == 1
    first.stop()
    second.wait_state("online", 40)


def test_a_server_that_cannot_be_reached(start_gateway: Start, relay: Proxy) -> None:
    """Tried often enough to be back soon, rarely enough to harm nobody."""
    relay.up = False
    gateway = start_gateway(relay.port)
    began = time.monotonic()
    while len(relay.attempts) < 4:
        assert time.monotonic() - began < 20, "at most a second apart, as `retry_max` says"
        time.sleep(0.05)
    assert time.monotonic() - began > 0.7, "FIRST, and then longer, each shortened by up to a half"
    relay.up = True
    gateway.wait_state("online")


def test_a_gateway_that_stops_says_goodbye(server: XMPPServer, start_gateway: Start) -> None:
    """The name is free again at once."""
    for _ in range(2):
        gateway = start_gateway(server.component_port)
        gateway.wait_state("online")
        assert "conflict" not in gateway.log(), "refused once, before it was let in"
        started = time.monotonic()
        gateway.stop()
        assert time.monotonic() - started < 15, "the server's patience is 30 s"


def test_a_gateway_that_is_killed_comes_back(server: XMPPServer, start_gateway: Start) -> None:
    gateway = start_gateway(server.component_port)
    gateway.wait_state("online")
    gateway.kill()
    gateway.start()
    gateway.wait_state("online")
