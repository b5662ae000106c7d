"""What the next owner of a session handles first, and what its server repeats (many-machines §9, XEP-0198 §5)."""

from __future__ import annotations

import pytest

from tests.link.c2s.opening import KEYS
from tests.service.sessions.scripted import ROMEO
from xmpp_rest.link.c2s.left_session import LeftQueue, LeftSession
from xmpp_rest.link.c2s.opened_stream import StreamManagement
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.sessions.handed_over import _not_handled
from xmpp_rest.service.sessions.inbound import CameStanza

STREAM = 7


def came(*places: tuple[int, int]) -> list[CameStanza]:
    return [CameStanza(stream, before, make("message", id_=f"{stream}:{before}")) for stream, before in places]


@pytest.mark.parametrize(
    ("said", "resumable", "waits", "handled", "first"),
    [
        (20, True, [], 20, []),
        (15, True, [(7, 17), (7, 19)], 17, []),  # the server repeats all
        (18, True, [(7, 15), (7, 17), (7, 18), (7, 19)], 18, ["7:15", "7:17"]),  # it knows that these are here
        (20, True, [(7, 15), (7, 19)], 20, ["7:15", "7:19"]),
        (3, True, [(6, 90), (0, 0), (7, 12)], 12, ["6:90", "0:0"]),  # of a stream before, and of a process before
        (3, False, [(7, 12), (7, 13)], 20, ["7:12", "7:13"]),  # nothing is repeated by the new session
    ],
)
def test_each_stanza_is_left_or_repeated_and_none_is_both(
    said: int, resumable: bool, waits: list[tuple[int, int]], handled: int, first: list[str]
) -> None:
    management = StreamManagement("id" if resumable else "", None)
    left = LeftSession(ROMEO.at("x"), KEYS, "192.0.2.7:5223", "TLSv1.3", management, 0.0, 20, said, LeftQueue(0, 0, ()))
    found, rest = _not_handled(left, STREAM, came(*waits))
    assert (found.handled, [stanza.get("id") for stanza in rest]) == (handled, first)
