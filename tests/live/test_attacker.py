"""A stranger with an ordinary client disturbs only himself: others write in both directions meanwhile, without loss."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from .gateway import Gateway
from .users import EventLoop, User
from .xmppserver import GATEWAY, XMPPServer

SECONDS = 20.0
RATE = 6  # stanzas of the attacker a second
PACE = 0.1  # seconds between two messages each way
LONGEST_TAG = 65_536  # bytes; more than any of the attacker's
ROMEO = f"romeo@{GATEWAY}"

BEYOND = {  # the gateway's bounds, but not the servers'
    "depth": "<a xmlns='d:e'>" + "<a>" * 67 + "</a>" * 68,
    "far too deep": "<a xmlns='d:e'>" + "<a>" * 500 + "</a>" * 501,  # more is too much for the servers themselves
    "attributes": "<a xmlns='d:e' " + " ".join(f"a{n}='x'" for n in range(5_000)) + "/>",
    "a name": f"<{'n' * 50_000} xmlns='d:e'/>",
}
WITHIN = {  # large, odd, and taken
    "quotes": "<body>" + "'" * 200_000 + "</body>",
    "markup": "<body><![CDATA[" + "<" * 200_000 + "]]></body>",
    "children": "<a xmlns='d:e'>" + "<b/>" * 20_000 + "</a>",
    "namespaces": "<a " + " ".join(f"xmlns:p{n}='u:{n}'" for n in range(1_000)) + "/>",
}


class Attack:
    """Sends all of it in turn, to an account and to nobody, until it is stopped."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent: list[str] = []

    def __enter__(self) -> Attack:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        recipients = itertools.cycle((ROMEO, f"nobody@{GATEWAY}", GATEWAY))
        for n, (name, inner) in enumerate(itertools.cycle((BEYOND | WITHIN).items())):
            kind = "iq type='set'" if n % 3 == 2 and name in BEYOND else "message type='chat'"
            element = kind.partition(" ")[0]
            self._user.send(f"<{kind} id='{name}:{n}' to='{next(recipients)}'>{inner}</{element}>")
            self.sent.append(name)
            if self._stop.wait(1 / RATE):
                return


@pytest.fixture
def tybalt(event_loop_thread: EventLoop, server: XMPPServer) -> Iterator[User]:
    user = User(event_loop_thread, server, "tybalt")
    user.connect()
    yield user
    user.close()


def errors(stanzas: list[ET.Element], name: str) -> list[str]:
    """The conditions of the errors that answer the stanzas of this name."""
    mine = [s for s in stanzas if s.get("type") == "error" and (s.get("id") or "").startswith(f"{name}:")]
    return [error.tag.partition("}")[2] for s in mine for error in s.findall("{*}error/*") if not error.tag.endswith("}text")]


def test_an_attacker_disturbs_nobody(gateway: Gateway, juliet: User, tybalt: User) -> None:
    said: list[str] = []
    clock = threading.Event()
    with Attack(tybalt) as attack:
        for n in range(int(SECONDS / PACE)):
            said.append(f"innocent {n}")
            gateway.send(f"<message to='{juliet.jid}' type='chat' id='g{n}'><body>{said[-1]}</body></message>", "romeo")
            juliet.send_message(ROMEO, said[-1])
            if n % 20 == 0:
                assert all(s["state"] == "online" for s in gateway.streams().values())
            clock.wait(PACE)
    last = juliet.iq(ROMEO, "<ping xmlns='urn:xmpp:ping'/>", timeout=60)  # after all that juliet sent
    assert last.get("type") == "result"
    heard = [juliet.wait_message(timeout=20).findtext("{*}body") for _ in said]
    assert heard == said, "something did not come, came twice, or out of order"
    assert [s for s in juliet.drain() if s.get("type") == "error"] == [], "something was refused"
    history = gateway.request("GET", f"/api/messages/{juliet.bare}?limit=500", user="romeo").json()
    assert [m["body"] for m in history if m["from"] == juliet.bare] == said
    assert all(s["state"] == "online" and s["accepted"] == 1 for s in gateway.streams().values())

    # Expat from 2.6 on (Prosody 13) looks at a long tag again only once twice as much has come: white space between stanzas does.
    tybalt.send(" " * LONGEST_TAG)
    answer = tybalt.iq(GATEWAY, "<ping xmlns='urn:xmpp:ping'/>", timeout=60)  # after all that the attacker sent
    assert answer.get("type") == "result"
    told = tybalt.drain()
    for name in BEYOND:
        assert set(errors(told, name)) == {"policy-violation"}, name
        assert len(errors(told, name)) == attack.sent.count(name)
    for name in WITHIN:
        assert set(errors(told, name)) <= {"service-unavailable"}, name
