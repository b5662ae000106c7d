"""What follows SASL: the resource, XEP-0198, and an earlier stream that goes on (accounts-anywhere §4.3, §4.5, §5.7)."""

from __future__ import annotations

import pytest

from tests.link.c2s.hostile import BIND, DOMAIN, HostileServer, Peer, open_to
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption, StreamManagement
from xmpp_rest.link.errors import LinkDown

SM = "<sm xmlns='urn:xmpp:sm:3'/>"
SESSION = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'>{}</session>"
RESUMPTION = Resumption("earlier", 7)


def refused(condition: str) -> str:
    error = f"<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    return f"<iq type='error' id='ID'>{error}</iq>"


def bound_as(jid: str) -> str:
    return f"<iq type='result' id='ID'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{jid}</jid></bind></iq>"


def test_the_servers_resource_counts(hostile: HostileServer) -> None:
    asked: list[str] = []

    def script(peer: Peer) -> None:
        peer.log_in()
        asked.append(peer.bind("balcony"))
        peer.until_closed()

    opened = hostile.log_in(script)
    with open_to(opened):
        assert str(opened.jid) == f"romeo@{DOMAIN}/balcony"
        assert (opened.management, opened.resumed, list(opened.early)) == (None, False, [])
        assert opened.server == f"127.0.0.1:{hostile.port}"
        assert repr(opened) == f"<stream of romeo@{DOMAIN}/balcony at 127.0.0.1:{hostile.port}>"
    hostile.close()
    assert "<resource>xmpp-rest</resource>" in asked[0]


def test_a_resource_that_is_taken(hostile: HostileServer) -> None:
    asked: list[str] = []

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.bind(answer=refused("conflict"))
        asked.append(peer.bind("chosen-by-it"))

    hostile.log_in(script).socket.close()
    hostile.close()
    assert "<resource" not in asked[0]


@pytest.mark.parametrize("condition", ["conflict", "not-allowed", "resource-constraint", "bad-request"])
def test_a_refused_bind_concerns_the_account_alone(hostile: HostileServer, condition: str) -> None:
    def script(peer: Peer) -> None:
        peer.log_in()
        peer.bind(answer=refused(condition))
        peer.bind(answer=refused(condition))

    failed = hostile.failure(script)
    assert (failed.name, failed.of_account) == ("login-later", True)
    assert condition in failed.detail


@pytest.mark.parametrize(
    "jid", [f"mercutio@{DOMAIN}/x", "romeo@evil.example/x", f"romeo@{DOMAIN}", DOMAIN, "", "@", f"romeo@{DOMAIN}/{'x' * 5000}"]
)
def test_bound_as_somebody_else(hostile: HostileServer, jid: str) -> None:
    def script(peer: Peer) -> None:
        peer.log_in()
        peer.bind(answer=bound_as(jid))
        peer.until_closed()

    failed = hostile.failure(script)
    assert failed.name == "no-login"
    assert len(failed.detail) < 300


@pytest.mark.parametrize(
    "noise", ["<stream:x/>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "<enabled xmlns='urn:xmpp:sm:3'/>"]
)
def test_noise_in_place_of_an_answer(hostile: HostileServer, noise: str) -> None:
    def script(peer: Peer) -> None:
        peer.log_in()
        peer.read("</iq>")
        peer.send(noise)
        peer.until_closed()

    assert hostile.failure(script).name == "no-login"


@pytest.mark.parametrize(("inside", "is_asked"), [("", True), ("<optional/>", False)])
def test_a_session_only_where_it_must_be(hostile: HostileServer, inside: str, is_asked: bool) -> None:
    seen: list[str] = []

    def script(peer: Peer) -> None:
        peer.log_in(BIND + SESSION.format(inside))
        peer.bind()
        if is_asked:
            seen.append(peer.bind(answer="<iq type='result' id='ID'/>"))

    hostile.log_in(script).socket.close()
    hostile.close()
    assert ["urn:ietf:params:xml:ns:xmpp-session" in text for text in seen] == [True] * is_asked


def test_a_refused_session(hostile: HostileServer) -> None:
    def script(peer: Peer) -> None:
        peer.log_in(BIND + SESSION.format(""))
        peer.bind()
        peer.bind(answer=refused("forbidden"))

    failed = hostile.failure(script)
    assert (failed.name, failed.of_account) == ("login-later", True)


@pytest.mark.parametrize(
    ("answer", "management"),
    [
        ("<enabled xmlns='urn:xmpp:sm:3' id='a&lt;b' resume='true' max='600'/>", StreamManagement("a<b", 600)),
        ("<enabled xmlns='urn:xmpp:sm:3' id='a' resume='1'/>", StreamManagement("a", None)),
        ("<enabled xmlns='urn:xmpp:sm:3' id='a'/>", StreamManagement("", None)),
        (f"<enabled xmlns='urn:xmpp:sm:3' id='{'a' * 4001}' resume='true'/>", StreamManagement("", None)),
        ("<enabled xmlns='urn:xmpp:sm:3' resume='true' max='-1'/>", StreamManagement("", 0)),
        ("<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>", None),
    ],
)
def test_stream_management(hostile: HostileServer, answer: str, management: StreamManagement | None) -> None:
    asked: list[str] = []

    def script(peer: Peer) -> None:
        peer.log_in(BIND + SM)
        peer.bind()
        asked.append(peer.read("/>"))
        peer.send(answer)

    opened = hostile.log_in(script)
    with open_to(opened):
        assert opened.management == management
    assert asked == ["<enable xmlns='urn:xmpp:sm:3' resume='true'/>"]


def test_stanzas_around_the_answer_are_kept_apart(hostile: HostileServer) -> None:
    """Those in front of <enabled/> do not count; those behind it do, and nobody has parsed them."""

    def script(peer: Peer) -> None:
        peer.log_in(BIND + SM)
        peer.bind()
        peer.read("/>")
        peer.send("<message id='1'/>\n<iq id='2' type='get'/>")
        peer.send("<enabled xmlns='urn:xmpp:sm:3' id='a' resume='true'/><message id='3'><body>>></body></message><mess")
        peer.read("go on")
        peer.send("age id='4'/>" + f"<message>{'x' * 12000}</message>")
        peer.until_closed()

    opened = hostile.log_in(script)
    seen: list[str | None] = []
    with open_to(opened) as sock:
        assert [stanza.get("id") for stanza in opened.early] == ["1", "2"]
        parser = opened.parser(lambda stanza, size: seen.append(stanza.get("id")), 10000, lambda head, why: None)
        parser.Parse(opened.pending)
        assert seen == ["3"]
        sock.setblocking(True)
        sock.send(b"go on")
        with pytest.raises(LinkDown, match="stanza-too-big"):
            [parser.Parse(data) for data in iter(lambda: sock.recv(4096), b"")]
        assert seen == ["3", "4"]


def resume(hostile: HostileServer, answer: str, rest: bool) -> tuple[OpenedStream, list[str]]:
    asked: list[str] = []

    def script(peer: Peer) -> None:
        peer.log_in(BIND + SM)
        asked.append(peer.read("/>"))
        peer.send(answer)
        if rest:
            asked.append(peer.bind())
            asked.append(peer.read("/>"))
            peer.send("<enabled xmlns='urn:xmpp:sm:3' id='new' resume='true'/>")

    opened = hostile.log_in(script, resumption=RESUMPTION)
    hostile.close()
    return opened, asked


@pytest.mark.parametrize(("h", "acknowledged"), [("12", 12), ("", 0), ("-1", 0), ("1" * 100, 0), ("٣", 0)])
def test_a_stream_that_goes_on(hostile: HostileServer, h: str, acknowledged: int) -> None:
    answer = f"<resumed xmlns='urn:xmpp:sm:3' previd='earlier' h='{h}'/><message id='1'/>"
    opened, asked = resume(hostile, answer, False)
    with open_to(opened):
        assert asked == ["<resume xmlns='urn:xmpp:sm:3' previd='earlier' h='7'/>"]
        assert (opened.resumed, opened.acknowledged, str(opened.jid)) == (True, acknowledged, f"romeo@{DOMAIN}/xmpp-rest")
        assert opened.management == StreamManagement("earlier", None)
        assert opened.pending == b"<message id='1'/>"


def test_a_stream_that_is_gone_is_begun_anew(hostile: HostileServer) -> None:
    opened, asked = resume(
        hostile, "<failed xmlns='urn:xmpp:sm:3' h='5'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>", True
    )
    with open_to(opened):
        assert len(asked) == 3
        assert (opened.resumed, opened.acknowledged) == (False, 5)
        assert opened.management == StreamManagement("new", None)


def test_nothing_is_resumed_where_the_server_cannot(hostile: HostileServer) -> None:
    def script(peer: Peer) -> None:
        peer.log_in(BIND)
        peer.bind()

    opened = hostile.log_in(script, resumption=RESUMPTION)
    with open_to(opened):
        assert (opened.resumed, opened.acknowledged, opened.management) == (False, 0, None)
