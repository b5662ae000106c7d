"""The harness of this folder: servers, users, callback and proxy, tried against each other without the gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import urllib3

from .callback import Answer, Callback
from .child import answers
from .proxy import Proxy
from .users import Component, EventLoop, User
from .xmppserver import CONFERENCE, DOMAIN, GATEWAY, UNKNOWN, XMPPServer


@pytest.fixture
def component(event_loop_thread: EventLoop, server: XMPPServer) -> Iterator[Component]:
    component = Component(event_loop_thread, server, GATEWAY)
    component.connect()
    yield component
    component.close()


def test_users_talk(juliet: User, nurse: User) -> None:
    juliet.send_message(nurse.bare, "Nurse?")
    assert nurse.wait_message("Nurse?").get("from") == juliet.jid


def test_a_component_talks_both_ways(component: Component, juliet: User) -> None:
    component.send(f"<message from='romeo@{GATEWAY}' to='{juliet.bare}' type='chat'><body>'tis I</body></message>")
    assert juliet.wait_message("'tis I").get("from") == f"romeo@{GATEWAY}"
    juliet.send_message(f"romeo@{GATEWAY}", "Ay me!")
    assert component.wait_message("Ay me!").get("from") == juliet.jid


def test_iqs_are_answered(component: Component, juliet: User) -> None:
    assert component.iq(juliet.jid, "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"
    assert component.iq(DOMAIN, "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"
    assert component.iq(f"{juliet.bare}/nowhere", "<ping xmlns='urn:xmpp:ping'/>").get("type") == "error"
    assert juliet.iq(GATEWAY, "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"


def test_a_component_joins_a_room(component: Component, juliet: User) -> None:
    room = f"garden@{CONFERENCE}"
    component.send(f"<presence from='romeo@{GATEWAY}/x' to='{room}/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    joined = component.wait(lambda s: s.tag.endswith("presence") and s.get("from") == f"{room}/Romeo")
    assert joined.get("type") is None
    juliet.send(f"<presence to='{room}/Juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    juliet.wait(lambda s: s.find(".//{*}status[@code='110']") is not None)
    component.send(f"<message from='romeo@{GATEWAY}/x' to='{room}' type='groupchat'><body>hello all</body></message>")
    assert juliet.wait_message("hello all").get("from") == f"{room}/Romeo"


@pytest.mark.parametrize(("domain", "secret"), [(GATEWAY, "wrong"), (UNKNOWN, "any")])
def test_a_bad_component_is_refused(event_loop_thread: EventLoop, server: XMPPServer, domain: str, secret: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        Component(event_loop_thread, server, domain, secret).connect()


def test_a_second_component(event_loop_thread: EventLoop, server: XMPPServer, component: Component) -> None:
    second = Component(event_loop_thread, server, GATEWAY)
    if server.one_connection_per_component:
        with pytest.raises(ConnectionRefusedError):
            second.connect()
    else:
        second.connect()
        second.close()


@pytest.mark.parametrize("end", [XMPPServer.stop, XMPPServer.kill])
def test_a_server_comes_back(event_loop_thread: EventLoop, server: XMPPServer, end: object) -> None:
    assert callable(end)
    end(server)
    assert not answers(server.component_port)
    server.start()
    user = User(event_loop_thread, server, "tybalt")
    user.connect()
    assert user.iq(DOMAIN, "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"
    user.close()


def test_a_user_has_a_password(event_loop_thread: EventLoop, server: XMPPServer) -> None:
    with pytest.raises(ConnectionRefusedError):
        User(event_loop_thread, server, "mercutio").connect()


def test_the_callback_records_and_answers(callback: Callback) -> None:
    callback.answers["/bot"] = lambda r: Answer(200, r.body.upper(), "text/plain")
    with urllib3.PoolManager(retries=False) as http:
        reply = http.request("POST", callback.url("/bot"), body=b"hark", headers={"X-A": "b"})
        assert (reply.status, reply.data, reply.headers["Content-Type"]) == (200, b"HARK", "text/plain")
        assert http.request("POST", callback.url("/other")).status == 204
    request = callback.wait_body("hark")
    assert (request.method, request.path, request.headers["x-a"]) == ("POST", "/bot", "b")
    assert [r.path for r in callback.drain()] == ["/other"]
    with pytest.raises(TimeoutError):
        callback.wait_body("hark", timeout=0.1)


def test_the_proxy_counts_and_cuts(event_loop_thread: EventLoop, server: XMPPServer) -> None:
    proxy = Proxy(server.component_port)
    proxy.start()
    component = Component(event_loop_thread, server, GATEWAY)
    component._address = ("127.0.0.1", proxy.port)
    component.connect()
    assert len(proxy.attempts) == 1
    proxy.cut()
    proxy.up = False
    with pytest.raises(ConnectionRefusedError):
        component.connect()
    assert len(proxy.attempts) >= 2
    component.close()
    proxy.stop()
