"""`xmpp-rest send --room`, in a room of the gateway itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import Ran
from tests.cli.inside import Place, place
from tests.conftest import DOMAIN
from xmpp_rest.protocol.jid import parse_jid

ADMIN = parse_jid(f"admin@{DOMAIN}")
SERVICE = f"conference.{DOMAIN}"
ROOM = f"verona@{SERVICE}"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("room")) as found:
        for words in (
            ("create_room_with_opts", "verona", SERVICE, DOMAIN, "persistent:true"),
            ("create_room_with_opts", "closed", SERVICE, DOMAIN, "persistent:true,members_only:true"),
        ):
            assert found.run("ctl", *words).code == 0, words
        yield found


@pytest.fixture(params=["local", "remote"])
def send(here: Place, request: pytest.FixtureRequest) -> Callable[..., Ran]:
    token = here.token(ADMIN)

    def sent(*words: str) -> Ran:
        words = ("send", "--room", "--wait", "20", *words)
        return here.run(*words) if request.param == "local" else here.away(*words, token=token)

    return sent


def history(here: Place) -> list[str]:
    return here.run("ctl", "get_room_history", "verona", SERVICE).out.splitlines()


def test_speaking(here: Place, send: Callable[..., Ran]) -> None:
    before = len(history(here))
    assert send(ROOM, "Here I am") == (0, "", "")
    (said,) = history(here)[before:]
    assert "<body>Here I am</body>" in said
    assert f"{ROOM}/admin" in said
    occupants = here.run("ctl", "get_room_occupants", "verona", SERVICE)
    assert occupants.out == ""  # it has left


def test_a_room_that_is_not_there_is_not_made(here: Place, send: Callable[..., Ran]) -> None:
    ran = send(f"nowhere@{SERVICE}", "x")
    assert (ran.code, "item-not-found" in ran.err) == (1, True), ran
    assert "nowhere" not in here.run("ctl", "muc_online_rooms", SERVICE).out


def test_a_room_that_lets_nobody_in(send: Callable[..., Ran]) -> None:
    ran = send(f"closed@{SERVICE}", "x")
    assert (ran.code, "registration-required" in ran.err) == (1, True), ran
