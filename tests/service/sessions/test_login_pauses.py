"""A server in trouble is left alone (accounts-anywhere §5.5)."""

from __future__ import annotations

import pytest

from tests.service.sessions.conftest import MakeScripted
from tests.service.sessions.scripted import GOOD, ROMEO, SECONDS, TYBALT, Scripted, told
from xmpp_rest.errors import GatewayError, at_server
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.login_pauses import PLACES

MERCUTIO = JID("mercutio", "montague.example", "")


def refused(scripted: Scripted) -> GatewayError:
    error = scripted.begin()()
    assert isinstance(error, GatewayError)
    return error


@pytest.mark.parametrize("name", ["unreachable", "login-later"])
def test_the_pauses_double_up_to_the_longest(make_scripted: MakeScripted, name: str) -> None:
    scripted = make_scripted(retry_max=60)
    scripted.server.says[GOOD] = name
    for most in (1, 2, 4, 8, 16, 32, 60, 60):
        asked = len(scripted.server.asked)
        first, second = refused(scripted), refused(scripted)
        assert first.name == second.name == name
        assert "montague.example" in first.text
        assert first.retry_after == second.retry_after
        assert max(1, most / 2) <= (first.retry_after or 0) <= most + 1
        assert len(scripted.server.asked) == asked + 1
        assert scripted.core.pauses.left() == {"montague.example": pytest.approx(most * 0.75, rel=0.34)}
        scripted.now += most
    assert set(scripted.counts.refusals) == {"backoff"}


def test_logins_that_fail_side_by_side_are_one_failure(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(logins=8)
    scripted.server.says[GOOD] = "unreachable"
    scripted.server.going.clear()
    beside = [scripted.begin(account=JID(f"u{n}", "montague.example", "")) for n in range(4)]
    for _ in beside:
        assert scripted.server.arrived.acquire(timeout=SECONDS)
    scripted.server.going.set()
    assert {told(wait()) for wait in beside} == {"unreachable"}
    assert scripted.core.pauses.left()["montague.example"] <= 1


def test_a_server_that_is_not_what_it_should_be_is_not_asked_sooner_for_another_failure_beside(scripted: Scripted) -> None:
    pauses = scripted.core.pauses
    for name in ("unreachable", "bad-certificate", "unreachable"):
        pauses.failed(ROMEO, at_server(name, "montague.example"), of_account=False)
    assert pauses.left()["montague.example"] == 60


def test_it_is_the_pause_of_the_whole_domain_and_a_success_ends_it(scripted: Scripted) -> None:
    scripted.server.says[GOOD] = "unreachable"
    assert scripted.admit() == "unreachable"
    assert scripted.admit("anything", MERCUTIO) == "unreachable"
    assert scripted.admit(account=TYBALT) == "unreachable"
    assert len(scripted.server.asked) == 2
    scripted.now += 2
    scripted.server.says[GOOD] = ""
    assert scripted.admit() == "in"
    scripted.server.says[GOOD] = "unreachable"
    assert scripted.admit(account=MERCUTIO) == "unreachable"
    assert scripted.core.pauses.left()["montague.example"] <= 1


def test_a_wrong_password_says_that_the_server_works(scripted: Scripted) -> None:
    scripted.server.says = {GOOD: "unreachable"}
    scripted.admit()
    scripted.now += 2
    assert scripted.admit("anything") == "wrong"
    scripted.admit()
    assert scripted.core.pauses.left()["montague.example"] <= 1


def test_a_failure_of_one_account_is_its_pause_alone(scripted: Scripted) -> None:
    scripted.server.says["other"] = "login-later"
    scripted.server.of_account = True
    assert [scripted.admit("other") for _ in range(2)] == ["login-later"] * 2
    assert scripted.admit(account=MERCUTIO) == "in"
    assert len(scripted.server.asked) == 2
    assert scripted.core.pauses.left() == {}


@pytest.mark.parametrize("name", ["no-server", "bad-certificate", "no-tls", "no-login", "impostor"])
def test_what_lasts_is_kept_for_a_minute(scripted: Scripted, name: str) -> None:
    scripted.server.says[GOOD] = name
    first, second = refused(scripted), refused(scripted)
    assert (first.name, first.text, first.retry_after) == (second.name, second.text, None)
    scripted.now += 59
    assert scripted.admit(account=MERCUTIO) == name
    assert len(scripted.server.asked) == 1
    scripted.now += 2
    assert scripted.admit() == name
    assert len(scripted.server.asked) == 2


def test_a_disabled_account_is_no_trouble_of_the_server(scripted: Scripted) -> None:
    scripted.server.says[GOOD] = "account-disabled"
    assert [scripted.admit() for _ in range(2)] == ["account-disabled"] * 2
    assert scripted.admit("another") == "wrong"
    assert scripted.admit(account=MERCUTIO) == "account-disabled"
    assert scripted.counts.refusals == ["known-wrong"]
    scripted.now += 301
    scripted.server.says[GOOD] = ""
    assert scripted.admit() == "in"
    assert [result for _, result in scripted.counts.results] == ["account-disabled", "wrong", "account-disabled", "ok"]


def test_a_changed_configuration_ends_pauses(scripted: Scripted) -> None:
    scripted.server.says[GOOD] = "no-server"
    scripted.admit()
    scripted.core.configure(scripted.core.domains, scripted.core.settings)
    scripted.server.says[GOOD] = ""
    assert scripted.admit() == "in"


def test_the_places_are_bounded(scripted: Scripted) -> None:
    pauses = scripted.core.pauses
    for n in range(PLACES + 10):
        account = JID("x", f"d{n}.example", "")
        pauses.failed(account, at_server("unreachable", account.domain), of_account=False)
    assert len(pauses.left()) == PLACES
    pauses.require_none(JID("x", "d0.example", ""))
    pauses.require_none(ROMEO)
