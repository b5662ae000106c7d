"""Who gets in: the six cases of accounts-anywhere §5.1, and what the server is asked for that."""

from __future__ import annotations

import pytest

from tests.service.sessions.conftest import MakeScripted
from tests.service.sessions.scripted import GOOD, HERE, KEYS, ROMEO, SECONDS, TYBALT, WRONG, Scripted, told
from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.ends import TOO_MANY, WRONG_NOW
from xmpp_rest.service.sessions.proofs import PLACES, proof_of

OTHER = "a rose by any other name"


def test_the_first_request_logs_in_and_the_next_ask_nobody(scripted: Scripted) -> None:
    admitted = scripted.begin()()
    assert isinstance(admitted, JID)
    assert (admitted.bare, admitted.resource[:10]) == (ROMEO, "xmpp-rest-")
    assert [scripted.begin()() for _ in range(3)] == [admitted] * 3
    assert scripted.server.asked == [("login", str(ROMEO), GOOD)]
    assert scripted.counts.results == [("montague.example", "ok")]


def test_a_wrong_password_is_refused_again_without_asking(scripted: Scripted) -> None:
    assert [scripted.admit(WRONG) for _ in range(4)] == ["wrong"] * 4
    assert len(scripted.server.asked) == 1
    scripted.now += 301
    assert scripted.admit(WRONG) == "wrong"
    assert len(scripted.server.asked) == 2
    assert scripted.counts.results == [("montague.example", "wrong")] * 2


def test_a_password_that_cannot_be_prepared_is_wrong_without_asking(scripted: Scripted) -> None:
    assert scripted.admit("two\nlines") == "wrong"
    assert not scripted.server.asked


def test_an_old_proof_is_checked_while_the_session_goes_on(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(recheck=100)
    assert scripted.admit() == "in"
    scripted.now += 101
    assert [scripted.admit(), scripted.admit()] == ["in", "in"]
    assert scripted.server.asked == [("login", str(ROMEO), GOOD), ("check", str(ROMEO), GOOD)]
    assert scripted.server.credentials[1].keys == KEYS  # which spare both sides the derivation
    assert not scripted.keeper.sessions[0].ends


def test_a_password_that_has_become_wrong_ends_the_session(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(recheck=100)
    scripted.admit()
    scripted.server.says[GOOD] = "wrong-password"
    assert scripted.admit() == "in"  # for as long as it counts
    scripted.now += 101
    assert scripted.admit() == "wrong"
    assert scripted.keeper.sessions[0].ends == [(WRONG_NOW, False)]
    assert not scripted.core.table


def test_a_server_that_cannot_be_asked_admits_nobody_and_the_session_goes_on(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(recheck=100)
    scripted.admit()
    scripted.now += 101
    scripted.server.says[GOOD] = "unreachable"
    assert scripted.admit() == "unreachable"
    assert not scripted.keeper.sessions[0].ends
    scripted.now += 2
    scripted.server.says[GOOD] = ""
    assert scripted.admit() == "in"
    assert len(scripted.keeper.sessions) == 1


def test_a_new_password_takes_the_place_of_the_former_one(scripted: Scripted) -> None:
    scripted.admit()
    scripted.server.says = {OTHER: "", GOOD: "wrong-password"}
    assert scripted.admit(OTHER) == "in"
    assert scripted.server.credentials[1].keys is None  # which belong to the former password
    assert scripted.admit(GOOD) == "wrong"
    assert scripted.admit(OTHER) == "in"
    assert [asked[0] for asked in scripted.server.asked] == ["login", "check", "check"]
    assert [session.ends for session in scripted.keeper.sessions] == [[]]


def test_keys_of_a_former_password_are_forgotten(scripted: Scripted) -> None:
    scripted.admit()
    kept = scripted.core.table.get(ROMEO)
    assert kept is not None
    assert kept.keys == KEYS
    scripted.server.says[OTHER], scripted.server.keys = "", None  # it offers PLAIN alone by now
    assert scripted.admit(OTHER) == "in"
    assert kept.keys is None


def test_a_wrong_password_beside_a_session_leaves_it_alone(scripted: Scripted) -> None:
    scripted.admit()
    assert scripted.admit(WRONG) == "wrong"
    assert scripted.admit() == "in"
    assert not scripted.keeper.sessions[0].ends


def test_requests_with_the_same_password_share_one_login(scripted: Scripted) -> None:
    scripted.server.going.clear()
    waiting = [scripted.begin() for _ in range(20)]
    scripted.server.going.set()
    assert {told(wait()) for wait in waiting} == {"in"}
    assert len(scripted.server.asked) == 1


def test_another_password_is_taken_after_the_one_that_is_being_asked(scripted: Scripted) -> None:
    scripted.server.going.clear()
    wrong, right = scripted.begin(WRONG), scripted.begin()
    assert scripted.server.arrived.acquire(timeout=SECONDS)
    assert not scripted.server.arrived.acquire(blocking=False)
    scripted.server.going.set()
    assert [told(wrong()), told(right())] == ["wrong", "in"]
    assert [asked[2] for asked in scripted.server.asked] == [WRONG, GOOD]


def test_an_ended_session_is_not_given_to_anybody(scripted: Scripted) -> None:
    first = scripted.begin()()
    scripted.keeper.sessions[0].has_ended = True
    assert scripted.begin()() == first  # the resource is the same one
    assert len(scripted.server.asked) == 2
    assert scripted.core.table.get(ROMEO) is not None


def test_the_session_used_least_lately_goes_for_another_one(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(total=2)
    accounts = [JID(name, "montague.example", "") for name in ("romeo", "benvolio", "mercutio")]
    for account in accounts[:2]:
        scripted.admit(account=account)
        scripted.now += 2
    scripted.admit(account=accounts[0])
    assert scripted.admit(account=accounts[2]) == "in"
    assert [session.ends for session in scripted.keeper.sessions] == [[], [(TOO_MANY, False)], []]
    assert set(scripted.changed) == {accounts[1]}


@pytest.mark.parametrize("given", [{"total": 1}, {"per_domain": 1}])
def test_a_session_in_use_does_not_go(make_scripted: MakeScripted, given: dict[str, int]) -> None:
    scripted = make_scripted(**given)
    scripted.admit()
    scripted.keeper.sessions[0].waiting = 1
    other = JID("benvolio", "montague.example", "")
    assert scripted.admit(account=other) == "sessions-full"
    assert len(scripted.server.asked) == 1  # it was not asked for nothing
    scripted.keeper.sessions[0].waiting = 0
    assert scripted.admit(account=other) == "in"
    assert scripted.keeper.sessions[0].ends


def test_a_failed_login_takes_no_place(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(total=1)
    assert scripted.admit(WRONG) == "wrong"
    scripted.server.raises = RuntimeError("a mistake of ours")
    assert scripted.admit(OTHER) == "internal"
    scripted.server.raises = None
    assert scripted.admit() == "in"


def test_who_waits_too_long_for_his_turn_is_told_so(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(logins=1, login_timeout=0.1)
    scripted.server.going.clear()
    first, second = scripted.begin(), scripted.begin(account=TYBALT)
    assert scripted.server.arrived.acquire(timeout=SECONDS)
    scripted.upkeep.wake()
    assert told(second()) == "sessions-full"
    scripted.server.going.set()
    assert told(first()) == "in"


def test_a_silent_server_takes_half_of_the_places(make_scripted: MakeScripted) -> None:
    scripted = make_scripted(logins=4)
    scripted.server.going.clear()
    crowd = [scripted.begin(account=JID(f"u{n}", "montague.example", "")) for n in range(10)]
    assert [told(wait()) for wait in crowd[4:]] == ["sessions-full"] * 6  # 2 run, 2 wait
    others = [scripted.begin(account=JID(f"u{n}", "capulet.example", "")) for n in range(2)]
    for _ in range(4):
        assert scripted.server.arrived.acquire(timeout=SECONDS)
    scripted.server.going.set()
    assert {told(wait()) for wait in (*crowd[:4], *others)} == {"in"}


def test_what_is_known_needs_the_proof_alone(scripted: Scripted) -> None:
    proof = proof_of(scripted.core.key, ROMEO, GOOD)
    assert scripted.admissions.enter(ROMEO, proof, HERE) is None
    session = scripted.begin()()
    assert scripted.admissions.enter(ROMEO, proof, HERE) == session
    scripted.admit(WRONG)
    refused = scripted.admissions.enter(ROMEO, proof_of(scripted.core.key, ROMEO, WRONG), HERE)
    assert refused is not None
    assert told(refused) == "wrong"


def test_nobody_is_let_in_after_the_end(scripted: Scripted) -> None:
    scripted.server.going.clear()
    running, waiting = scripted.begin(), scripted.begin(WRONG)
    assert scripted.server.arrived.acquire(timeout=SECONDS)
    scripted.core.queue.stop()
    assert told(waiting()) == "link-down"
    scripted.server.going.set()
    assert told(running()) == "in"
    assert scripted.admit(account=TYBALT) == "link-down"


def test_refused_proofs_are_bounded(scripted: Scripted) -> None:
    refused = scripted.core.refused
    for n in range(PLACES + 5):
        refused.add(b"%d" % n, WrongPassword(), 100)
    assert len(refused) == PLACES
    assert refused.get(b"4") is None
    assert refused.get(b"5") is not None
    scripted.now += 100
    assert refused.get(b"5") is None
    assert len(refused) == PLACES - 1


def test_whoever_waits_for_an_outcome_is_told_whatever_another_raises(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a mistake")

    scripted.server.going.clear()
    scripted.admissions.begin(ROMEO, GOOD, HERE, broken)
    wait = scripted.begin()
    scripted.server.going.set()
    assert told(wait()) == "in"
    assert "the outcome of a login could not be told" in caplog.text


def test_without_a_thread_there_is_no_login(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("xmpp_rest.threads.daemon_pool.DaemonPool.submit", full)
        assert scripted.admit() == "sessions-full"
    assert scripted.admit() == "in"


def test_secrets_are_not_shown(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        scripted.admit()
        scripted.admit(WRONG)
    kept = scripted.core.table.get(ROMEO)
    assert kept is not None
    shown = f"{kept!r} {caplog.text}"
    assert not [secret for secret in (GOOD, WRONG, kept.proof.hex(), repr(kept.proof), repr(KEYS.client_key)) if secret in shown]
    assert "login account=romeo@montague.example/" in caplog.text
    assert "check-failed account=romeo@montague.example name=wrong-password" in caplog.text


def test_a_session_that_comes_while_settings_change_is_ended(scripted: Scripted) -> None:
    scripted.server.going.clear()
    wait = scripted.begin()
    assert scripted.server.arrived.acquire(timeout=SECONDS)
    scripted.core.configure(type(scripted.core.domains)({}, ()), scripted.core.settings)
    scripted.server.going.set()
    assert told(wait()) == "session-lost"
    assert scripted.keeper.sessions[0].ends
    assert not scripted.core.table
    assert scripted.admit() == "wrong"  # its domain is nobody's


def test_a_keeper_that_takes_no_more_is_no_harm(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise GatewayError("sessions-full")

    with monkeypatch.context() as patch:
        patch.setattr(scripted.keeper, "adopt", full)
        assert scripted.admit() == "sessions-full"
    assert scripted.admit() == "in"
