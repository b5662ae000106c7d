"""Hooks in the storage: names, tokens and owners, whichever driver keeps them (hooks §3, §4)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers import Driver
from tests.conftest import DOMAIN, OpenDriver
from xmpp_rest.auth.record import ACCOUNTS
from xmpp_rest.config.load import load_settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.hooks.draft import Draft
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.stored import HOOK, HOOK_TOKEN, HOOK_USE, HOOKS_OF
from xmpp_rest.threads.waits import Waits

JULIET, NURSE = parse_jid(f"juliet@{DOMAIN}"), parse_jid(f"nurse@{DOMAIN}")
DRAFT = Draft(JULIET, None, (f"nurse@{DOMAIN}",))
Make = Callable[..., Hooks]


@pytest.fixture(params=["sqlite:h.sqlite", "jsonfile:h", "flatfile:h"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    driver = open_driver(request.param, tmp_path)
    for user in ("juliet", "nurse"):
        driver.store(user, DOMAIN, ACCOUNTS, {"password": "x"})
    return driver


@pytest.fixture
def make(driver: Driver, tmp_path: Path) -> Iterator[Make]:
    """Builds the hooks of one process that is alone."""
    remotes: list[Remote] = []

    def built(**given: str) -> Hooks:
        environ = {"XMPP_REST_GATEWAY_DOMAIN": DOMAIN} | {f"XMPP_REST_{key.upper()}": value for key, value in given.items()}
        remotes.append(Remote(LocalGroup(tmp_path), Waits(8, 4), RuntimeError))
        return Hooks(driver, load_settings(None, environ), remotes[-1], Incidents(), lambda jid: jid == parse_jid(f"admin@{DOMAIN}"))

    yield built
    for remote in remotes:
        remote.timers.stop()
        remote.pool.stop()


@pytest.fixture
def hooks(make: Make) -> Hooks:
    return make()


def test_a_hook_is_found_by_token_name_and_owner(hooks: Hooks, make: Make) -> None:
    hook, token = hooks.make("ops", DRAFT)
    for each in (hooks, make()):
        assert each.by_token(token) == each.named("OPS") == each.holds("Ops", token) == hook
        assert each.of(JULIET) == each.of(None) == [hook]
        assert each.of(NURSE) == []
        assert each.holds("other", token) is None
        assert each.by_token("hk_" + "x" * 27) is each.by_token("") is each.by_token(f"{token}x") is each.named("other") is None
    assert (hook.owner, hook.speaks_as, str(hook.targets[0]), hook.number) == (JULIET, JULIET, f"nurse@{DOMAIN}", 1)


def test_of_the_token_only_a_hash_is_kept(hooks: Hooks, driver: Driver) -> None:
    _, token = hooks.make("ops", DRAFT)
    kept = [(place, driver.load(*place[:3])) for place in driver.places()]
    assert {place.store for place, _ in kept} >= {HOOK, HOOK_TOKEN, HOOKS_OF}
    assert token not in str(kept)
    assert token[3:] not in str(kept)


def test_names_are_unique_in_a_race(make: Make) -> None:
    processes, won, lost = [make() for _ in range(4)], list[str](), list[str]()
    begin = threading.Barrier(len(processes))

    def run(hooks: Hooks) -> None:
        begin.wait()
        try:
            won.append(hooks.make("ops", DRAFT)[1])
        except GatewayError as e:
            lost.append(e.name)

    threads = [threading.Thread(target=run, args=(hooks,)) for hooks in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), lost) == (1, ["hook-exists"] * 3)
    assert processes[0].by_token(won[0])
    assert [hook.name for hook in processes[0].of(JULIET)] == ["ops"]


def test_numbers_are_not_used_again(hooks: Hooks) -> None:
    first, _ = hooks.make("ops", DRAFT)
    hooks.remove(first)
    again, _ = hooks.make("ops", DRAFT)
    other, _ = hooks.make("other", DRAFT)
    assert first.number < again.number < other.number


def test_what_was_removed_is_kept_nowhere(hooks: Hooks, driver: Driver) -> None:
    heard: list[tuple[str, str]] = []
    hooks.changed.subscribe(lambda hook: heard.append(("changed", hook.name)))
    hooks.removed.subscribe(lambda hook: heard.append(("removed", hook.name)))
    hook, token = hooks.make("ops", DRAFT)
    assert hooks.delivered(hook) == 1
    hooks.remove(hook)
    assert heard == [("changed", "ops"), ("removed", "ops")]
    assert {place.store for place in driver.places()} == {ACCOUNTS, "hook_numbers"}
    assert hooks.by_token(token) is None
    with pytest.raises(GatewayError, match="hook-unknown"):
        hooks.remove(hook)
    with pytest.raises(GatewayError, match="hook-unknown"):
        hooks.renew(hook)


def test_a_new_owner(hooks: Hooks) -> None:
    hook, token = hooks.make("ops", DRAFT)
    moved = hooks.replace(hook, Draft(NURSE, None, ("a@b.example",)))
    assert (moved.owner, moved.speaks_as) == (NURSE, NURSE)
    assert (hooks.of(JULIET), hooks.of(NURSE), hooks.by_token(token)) == ([], [moved], moved)
    nobody = hooks.replace(moved, Draft(None, None, ("a@b.example",)))
    assert (str(nobody.owner), str(nobody.speaks_as)) == (f"hooks@{DOMAIN}", f"hooks@{DOMAIN}")
    assert (hooks.of(NURSE), hooks.of(nobody.owner), hooks.by_token(token)) == ([], [nobody], nobody)


def test_only_what_has_not_changed_is_replaced(hooks: Hooks) -> None:
    hook, _ = hooks.make("ops", DRAFT)
    version = hooks.version(hook)
    hooks.replace(hook, DRAFT, version)
    for change in (lambda: hooks.replace(hook, DRAFT, version), lambda: hooks.remove(hook, version)):
        with pytest.raises(GatewayError, match="hook-changed"):
            change()


def test_it_ends_with_the_account_of_its_owner(hooks: Hooks, driver: Driver) -> None:
    _, token = hooks.make("ops", DRAFT)
    driver.store("juliet", DOMAIN, ACCOUNTS, {"password": "x", "disabled": True})
    assert hooks.by_token(token) is None
    driver.store("juliet", DOMAIN, ACCOUNTS, {"password": "y"})
    assert hooks.by_token(token)
    driver.store("juliet", DOMAIN, ACCOUNTS, {"password": "x", "created": int(time.time()) + 5})  # another one of that name
    assert hooks.by_token(token) is None
    driver.store("juliet", DOMAIN, ACCOUNTS, None)
    assert hooks.by_token(token) is None
    hooks.end_of(JULIET)
    assert hooks.named("ops") is None
    assert hooks.of(None) == []


def test_what_has_expired_is_as_if_it_were_not_there(hooks: Hooks) -> None:
    hook, token = hooks.make("ops", Draft(JULIET, None, ("a@b.example",), expires=time.time() + 0.05))
    deadline = time.monotonic() + 10
    while hooks.by_token(token) is not None:
        assert time.monotonic() < deadline
    assert (hooks.named("ops"), hooks.of(JULIET), hooks.of(None)) == (None, [], [])
    again, new = hooks.make("ops", DRAFT)
    assert again.number != hook.number
    assert (hooks.by_token(token), hooks.by_token(new)) == (None, again)


def test_how_many_one_account_may_have(make: Make) -> None:
    hooks = make(hooks_per_account="2")
    first, _ = hooks.make("a", DRAFT)
    hooks.make("b", Draft(JULIET, None, ("a@b.example",), expires=time.time() + 0.01))
    deadline = time.monotonic() + 10
    while hooks.named("b") is not None:
        assert time.monotonic() < deadline
    hooks.make("c", DRAFT)
    with pytest.raises(GatewayError, match="hooks-full"):
        hooks.make("d", DRAFT)
    hooks.make("d", Draft(NURSE, None, ("a@b.example",)))
    hooks.remove(first)
    hooks.make("e", DRAFT)
    for name in "xyz":
        hooks.make(name, Draft(None, None, ("a@b.example",)))


def test_what_another_program_wrote_is_no_hook(hooks: Hooks, driver: Driver) -> None:
    hook, token = hooks.make("ops", DRAFT)
    kept = driver.load("hook:ops", DOMAIN, HOOK)
    assert isinstance(kept, dict)
    for table in ({"x": 1}, [1], kept | {"targets": 1}):
        driver.store("hook:ops", DOMAIN, HOOK, table)
        assert hooks.by_token(token) is hooks.named("ops") is None
        assert hooks.of(None) == []
    with pytest.raises(GatewayError, match="hook-unknown"):
        hooks.replace(hook, DRAFT)


def test_uses_are_counted_and_survive(hooks: Hooks, make: Make, driver: Driver) -> None:
    hook, _ = hooks.make("ops", DRAFT)
    assert hooks.uses_of([hook]) == [(0, None)]
    began = time.time()
    assert [hooks.delivered(hook) for _ in range(3)] == [1, 2, 3]
    ((deliveries, used),) = hooks.uses_of([hook])
    assert deliveries == 3
    assert used is not None
    assert used >= began
    hooks.uses.settle()
    later = make()
    assert later.uses_of([hook]) == [(3, used)]
    assert later.delivered(hook) > 3  # no number comes twice
    assert later.uses_of([hook])[0].deliveries == 4
    assert driver.load("hook:ops", DOMAIN, HOOK_USE)


def test_uses_cost_no_write_each(hooks: Hooks, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, _ = hooks.make("ops", DRAFT)
    written: list[object] = []
    store = driver.store
    monkeypatch.setattr(driver, "store", lambda *given: (written.append(given), store(*given)))
    for _ in range(100):
        hooks.delivered(hook)
    assert len(written) == 1


def test_what_a_lookup_reads(hooks: Hooks, make: Make, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [hooks.make(f"h{n}", DRAFT)[1] for n in range(20)]
    other, read = make(), list[object]()
    load = driver.load
    monkeypatch.setattr(driver, "load", lambda *place: (read.append(place), load(*place))[1])
    assert other.by_token(tokens[7])
    assert [place[2] for place in read if isinstance(place, tuple)] == [HOOK_TOKEN, HOOK, ACCOUNTS]  # however many others there are
    assert other.by_token(tokens[7])
    assert len(read) == 3 or driver.unchanged("x", DOMAIN, HOOK) is None


def test_a_hook_of_the_configuration(make: Make) -> None:
    token = "hk_" + "c" * 27
    given = {"hook_ops_token": token, "hook_ops_targets": "a@b.example", "hook_ops_owner": f"juliet@{DOMAIN}"}
    hooks, other = make(**given), make(**given, hook_dev_token="hk_" + "d" * 27, hook_dev_targets="a@b.example")
    hook = hooks.by_token(token)
    assert hook is not None
    assert (hook.name, hook.owner, str(hook.speaks_as)) == ("ops", JULIET, f"hooks@{DOMAIN}")
    assert [other.named("dev"), other.named("ops")] == other.of(None)
    dev = other.named("dev")
    assert dev is not None
    assert len({dev.number, hook.number}) == 2
    assert other.named("ops") == make(**given).named("ops") == hook
    for change in (lambda: hooks.renew(hook), lambda: hooks.remove(hook), lambda: hooks.replace(hook, DRAFT)):
        with pytest.raises(GatewayError, match="hook-configured"):
            change()
    with pytest.raises(GatewayError, match="hook-exists"):
        hooks.make("ops", DRAFT)


def test_what_a_reload_changes_is_told(make: Make) -> None:
    given = {f"hook_{name}_{key}": value for name in "ab" for key, value in (("token", "hk_" + name * 27), ("targets", "x@y.example"))}
    hooks = make(**given)
    heard: list[tuple[str, Hook]] = []
    hooks.changed.subscribe(lambda hook: heard.append(("changed", hook)))
    hooks.removed.subscribe(lambda hook: heard.append(("removed", hook)))
    environ = {f"XMPP_REST_{key.upper()}": value for key, value in given.items()} | {"XMPP_REST_GATEWAY_DOMAIN": DOMAIN}
    hooks.configure(load_settings(None, environ))
    assert heard == []
    hooks.configure(load_settings(None, {k: v for k, v in environ.items() if "HOOK_B" not in k} | {"XMPP_REST_HOOK_A_NICK": "Alert"}))
    assert [(what, hook.name, hook.called) for what, hook in heard] == [("changed", "a", "Alert"), ("removed", "b", "b")]
    assert hooks.by_token("hk_" + "b" * 27) is None


def test_who_listens_hears_of_hooks_that_speak_as_somebody_else_after_a_reload(hooks: Hooks) -> None:
    hooks.make("of-juliet", DRAFT)
    hooks.make("of-nobody", replace(DRAFT, owner=None))
    heard: list[tuple[str, str]] = []
    hooks.changed.subscribe(lambda hook: heard.append((hook.name, str(hook.speaks_as))))
    environ = {"XMPP_REST_GATEWAY_DOMAIN": DOMAIN}
    hooks.configure(load_settings(None, environ | {"XMPP_REST_HOOKS_WAIT": "3"}))
    assert heard == []
    hooks.configure(load_settings(None, environ | {"XMPP_REST_HOOKS_ADDRESS": f"desk@{DOMAIN}"}))
    assert sorted(heard) == [("of-juliet", f"juliet@{DOMAIN}"), ("of-nobody", f"desk@{DOMAIN}")]


def test_a_token_is_160_bits_of_letters_and_digits(hooks: Hooks) -> None:
    tokens = {hooks.make(f"h{n}", DRAFT)[1] for n in range(5)}
    assert len(tokens) == 5
    assert all(re.fullmatch("hk_[0-9A-Za-z]{27}", token) for token in tokens)
    assert JID("", DOMAIN, "") not in {hook.owner for hook in hooks.of(None)}
