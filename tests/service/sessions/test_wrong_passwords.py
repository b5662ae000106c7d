"""How often servers are asked about wrong passwords (accounts-anywhere §5.4)."""

from __future__ import annotations

import pytest

from tests.service.sessions.conftest import MakeScripted
from tests.service.sessions.scripted import GOOD, HERE, ROMEO, SECONDS, Scripted, told
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.wrong_passwords import PLACES, Guess

FAR = "198.51.100.7"


def account(number: int) -> JID:
    return JID(f"u{number}", "montague.example", "")


def test_an_account_has_five_different_wrong_passwords(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(failures_address=100)
    scripted.admit()
    assert [scripted.admit(f"guess {n}") for n in range(6)] == ["wrong"] * 5 + ["too-many-failures"]
    assert scripted.admit("guess 6", address=FAR) == "too-many-failures"
    assert scripted.admit("guess 0") == "wrong"  # that is known, and asks nobody
    assert scripted.admit() == "in"  # the session's own
    assert len(scripted.server.asked) == 6
    assert scripted.counts.refusals == ["too-many-failures", "too-many-failures", "known-wrong"]
    error = scripted.begin("guess 6")()
    assert isinstance(error, GatewayError)
    assert error.retry_after == 3600
    scripted.now += 3000
    later = scripted.begin("guess 6")()
    assert isinstance(later, GatewayError)
    assert later.retry_after == 600
    scripted.now += 601
    assert scripted.admit("guess 6") == "wrong"


def test_the_same_wrong_password_locks_nobody_out(make_scripted: MakeScripted) -> None:
    """A forgotten job that asks every five minutes."""
    scripted = make_scripted(failures_domain=100)
    for _ in range(8):
        assert scripted.admit("the old password") == "wrong"
        scripted.now += 301
    assert len(scripted.server.asked) == 8
    assert scripted.admit() == "in"


def test_an_address_has_five_for_each_domain(scripted: Scripted) -> None:
    assert [scripted.admit("guess", account(n)) for n in range(6)] == ["wrong"] * 5 + ["too-many-failures"]
    assert scripted.admit("guess", account(6), FAR) == "wrong"
    assert scripted.admit("guess", JID("u7", "capulet.example", "")) == "wrong"


def test_an_address_is_a_network_of_ipv6(scripted: Scripted) -> None:
    assert [scripted.admit("guess", account(n), f"2001:db8::{n}") for n in range(6)] == ["wrong"] * 5 + ["too-many-failures"]


def test_a_domain_is_one_in_both_ways_of_writing_it(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(domains="bücher.example, xn--bcher-kva.example", failures_address=100)
    accounts = [JID("romeo", domain, "") for domain in ("bücher.example", "xn--bcher-kva.example")]
    assert [scripted.admit(f"guess {n}", accounts[n % 2]) for n in range(6)] == ["wrong"] * 5 + ["too-many-failures"]


def test_what_no_server_can_be_called_is_counted_as_it_is(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(domains="*")
    assert scripted.admit("guess", JID("romeo", f"{'ü' * 60}.example", "")) == "wrong"


def test_a_domain_has_fifteen(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(recheck=100)
    scripted.admit()
    tried = [scripted.admit("guess", account(n), f"192.0.2.{n + 10}") for n in range(16)]
    assert tried == ["wrong"] * 15 + ["login-paused"]
    error = scripted.begin("guess", account(20))()
    assert isinstance(error, GatewayError)
    assert (error.retry_after, error.text) == (3600, "Too many wrong passwords for accounts of montague.example; new logins wait")
    assert scripted.admit("guess", account(0)) == "wrong"  # case 2
    assert scripted.admit() == "in"  # case 1
    scripted.now += 101
    assert scripted.admit() == "in"  # case 4
    assert scripted.server.asked[-1][0] == "check"
    assert scripted.admit("another", ROMEO) == "login-paused"  # case 5
    assert scripted.admit("guess", JID("u1", "capulet.example", "")) == "wrong"


def test_a_right_password_sets_account_and_address_to_zero_and_not_the_domain(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(failures_domain=8)
    for n in range(4):
        scripted.admit(f"guess {n}")
    assert scripted.admit() == "in"
    assert [scripted.admit(f"another {n}") for n in range(5)] == ["wrong"] * 4 + ["login-paused"]


def test_what_is_under_way_counts_and_is_given_back(make_scripted: MakeScripted) -> None:
    """Parallel guesses cannot slip through, and parallel good logins are not refused for it."""
    scripted = make_scripted(logins=16, failures_address=2)
    scripted.server.going.clear()
    guesses = [scripted.begin("guess", account(n)) for n in range(6)]
    for _ in range(2):
        assert scripted.server.arrived.acquire(timeout=SECONDS)
    assert not scripted.server.arrived.acquire(timeout=0.2)  # the others wait for these
    scripted.server.going.set()
    assert sorted(told(wait()) for wait in guesses) == ["too-many-failures"] * 4 + ["wrong"] * 2
    assert len(scripted.server.asked) == 2

    good = make_scripted(logins=16, failures_address=2)
    good.server.going.clear()
    logins = [good.begin(GOOD, account(n)) for n in range(6)]
    good.server.going.set()
    assert [told(wait()) for wait in logins] == ["in"] * 6


@pytest.mark.parametrize("name", ["unreachable", "no-login", "account-disabled"])
def test_other_failures_are_given_back(make_scripted: MakeScripted, name: str) -> None:
    scripted = make_scripted(failures_account=2)
    scripted.server.says = {f"{n}": name for n in range(4)}
    for n in range(4):
        assert scripted.admit(f"{n}") == name
        scripted.now += 400
    assert scripted.core.wrong.of_domains() == {}


def test_an_address_is_let_off(scripted: Scripted) -> None:
    for n in range(5):
        scripted.admit("guess", account(n))
    assert scripted.admit("guess", account(5)) == "too-many-failures"
    assert scripted.core.wrong.unban("203.0.113.0/24") == 0
    assert scripted.core.wrong.unban("192.0.2.0/24") == 1
    assert scripted.admit("guess", account(5)) == "wrong"
    with pytest.raises(ValueError, match="nowhere"):
        scripted.core.wrong.unban("nowhere")


def test_figures_of_domains(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(failures_domain=2)
    scripted.admit("guess", account(0))
    assert (scripted.core.wrong.of_domains(), scripted.core.wrong.paused_domains()) == ({"montague.example": 1}, {})
    scripted.admit("guess", account(1))
    assert (scripted.core.wrong.of_domains(), scripted.core.wrong.paused_domains()) == ({"montague.example": 2}, {"montague.example": 3600})
    scripted.now += 3601
    assert (scripted.core.wrong.of_domains(), scripted.core.wrong.paused_domains()) == ({}, {})


def test_the_counts_are_bounded(scripted: Scripted) -> None:
    wrong = scripted.core.wrong
    for n in range(PLACES + 50):
        guess = Guess(JID("x", f"d{n}.example", ""), f"host {n}", b"%d" % n)
        wrong.begin(guess)
        wrong.refused(guess)
    assert len(wrong.of_domains()) == PLACES
    assert "d0.example" not in wrong.of_domains()
    first = Guess(JID("x", "d0.example", ""), HERE, b"")
    wrong.end(first)  # as after a restart of the count
    assert repr(first) == f"Guess(account={first.account!r}, address='{HERE}')"
