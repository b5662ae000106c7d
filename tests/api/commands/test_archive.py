"""Commands that count and clear archives (commands-api §12)."""

from __future__ import annotations

import time

import pytest

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID, parse_jid

JULIET = {"user": "juliet", "host": DOMAIN}
ROMEO, NURSE = parse_jid("romeo@montague.example"), parse_jid(f"nurse@{DOMAIN}")
DAY = 86400


@pytest.fixture
def kept(gateway: Gateway) -> None:
    """Juliet's archive, of today, of yesterday and of last month, and a room's."""
    owner = JID("juliet", DOMAIN, "")
    for days, partner in ((0, ROMEO), (1.5, NURSE), (30, ROMEO)):
        gateway.parts.archive.keep(owner, "<message><body>x</body></message>", time.time() - days * DAY, partner)
    room = JID("verona", f"conference.{DOMAIN}", "")
    gateway.parts.archive.keep(room, "<message type='groupchat'><body>x</body></message>", time.time() - 30 * DAY, ROMEO)


def rooms(gateway: Gateway) -> int:
    return len(list(gateway.parts.archive.owners(f"conference.{DOMAIN}")))


def test_counting_and_removing(run: Run, kept: None, gateway: Gateway) -> None:
    assert run("get_mam_count", JULIET) == (200, 3)
    assert run("get_mam_count/v0", {"user": "nurse", "host": DOMAIN}) == (200, {"value": 0})
    assert run("remove_mam_for_user_with_peer", JULIET | {"with": f"{ROMEO}/balcony"}) == (200, "MAM archive removed")
    assert run("get_mam_count", JULIET) == (200, 1)
    for _ in range(2):
        assert run("remove_mam_for_user", JULIET) == (200, "MAM archive removed")
    assert run("get_mam_count", JULIET) == (200, 0)
    assert rooms(gateway) == 1


def test_a_peer_that_is_none(run: Run, kept: None) -> None:
    assert run("remove_mam_for_user_with_peer", JULIET | {"with": "@@"}) == (400, "Invalid peer JID")
    assert run("get_mam_count", JULIET) == (200, 3)


@pytest.mark.parametrize(
    ("kind", "days", "code", "left", "rooms_left"),
    [
        ("chat", 7, 0, 2, 1),
        ("chat", 1, 0, 1, 1),
        ("chat", 0, 0, 0, 1),
        ("chat", 10**30, 0, 3, 1),
        ("groupchat", 7, 0, 3, 0),
        ("all", 7, 0, 2, 0),
        ("headline", 0, 1, 3, 1),
    ],
)
def test_old_messages(run: Run, kept: None, gateway: Gateway, kind: str, days: int, code: int, left: int, rooms_left: int) -> None:
    assert run("delete_old_mam_messages", {"type": kind, "days": days}) == (200, code)
    assert (run("get_mam_count", JULIET).body, rooms(gateway)) == (left, rooms_left)


def test_days_to_come(run: Run, kept: None) -> None:
    assert run("delete_old_mam_messages", {"type": "all", "days": -1}) == (400, "Invalid number of days")
    assert run("get_mam_count", JULIET) == (200, 3)


def test_how_long_an_archive_is_kept(run: Run, kept: None, gateway: Gateway) -> None:
    assert run("get_archive_keep", JULIET) == (200, "default")
    assert run("set_archive_keep", JULIET | {"keep": "7d"}) == (200, 0)
    assert run("get_archive_keep", JULIET) == (200, "7d")
    gateway.parts.retention.prune()
    assert run("get_mam_count", JULIET) == (200, 2)
    assert run("set_archive_keep", JULIET | {"keep": "default"}) == (200, 0)
    assert run("get_archive_keep", JULIET) == (200, "default")
    code, text = run("set_archive_keep", JULIET | {"keep": "soon"})
    assert (code, text) == (400, "keep: write a number of days, months or years, such as 30d, 12m or 1y, or forever, or default")
    assert run("set_archive_keep", {"user": "nobody", "host": DOMAIN, "keep": "7d"}) == (400, "The account does not exist")
