"""Messages are sent at their time, once and in order, as their owners may then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Barrier
from xml.etree.ElementTree import Element

import pytest

from drivers import StorageError
from tests.conftest import DOMAIN, MakeApp
from tests.link.fake import attach
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import refusal
from xmpp_rest.service.accounts.bans import Bans
from xmpp_rest.service.hooks.delivered import Due
from xmpp_rest.service.hooks.draft import Draft
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.said import Kind, Said
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.scheduled import hook_messages
from xmpp_rest.service.scheduled.hook_messages import stanza_id
from xmpp_rest.service.scheduled.scheduled import StanzaToSchedule

pytestmark = pytest.mark.plain_thread
JULIET = parse_jid(f"juliet@{DOMAIN}")
ROMEO = parse_jid("romeo@montague.example")
LONG = 20.0  # seconds that a loaded machine may take


@pytest.fixture
def sent(gateway: Gateway) -> list[str]:
    """What goes out: the ids."""
    ids: list[str] = []
    link(gateway, ids.append)
    return ids


def link(gateway: Gateway, take: Callable[[str], object]) -> None:
    """Have the ids of messages given to `take`; an address that is asked what it is does not say."""

    def out(_: str, stanza: Element) -> None:
        if stanza.tag == "iq":
            answer = refusal(stanza, StanzaError("cancel", "service-unavailable"))
            gateway.parts.router.resolve(answer, parse_jid(stanza.attrib["to"]), parse_jid(stanza.attrib["from"]))
        else:
            take(stanza.attrib["id"])

    attach(gateway.parts.router, out)


def until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def schedule(gateway: Gateway, identifier: str, at: float, to: JID = ROMEO, sender: JID = JULIET) -> Due:
    stanza = parse_text(f"<message from='{sender}' to='{to}' id='{identifier}' type='chat'><body>{identifier}</body></message>")
    return gateway.parts.scheduled.schedule_stanza(StanzaToSchedule(stanza, sender, to), at)


def state(gateway: Gateway, identifier: str) -> str | None:
    outcome = gateway.parts.sending.outcome(JULIET, identifier)
    return outcome and outcome.state


def test_sent_at_its_time_in_order_and_then_gone(gateway: Gateway, sent: list[str]) -> None:
    gateway.start()
    now = time.time()
    for identifier, at in (("c", now + 1), ("b", now + 0.9), ("d", now + 1), ("far", now + 9000)):
        schedule(gateway, identifier, at)
    assert [m.stanza_id for m in gateway.parts.scheduled.all(JULIET)] == ["b", "c", "d", "far"]
    until(lambda: len(sent) == 3 and len(gateway.parts.scheduled.all(JULIET)) == 1)
    assert sent == ["b", "c", "d"]
    assert state(gateway, "b") == "accepted"
    assert now + 0.9 <= time.time()


def test_what_fell_due_while_nobody_ran_is_sent_at_the_start_once(gateway: Gateway, sent: list[str]) -> None:
    now = time.time()
    for number in range(140):  # more than go together
        schedule(gateway, f"m{number}", now + 0.001 * number)
    gateway.start()
    until(lambda: len(sent) == 140 and not gateway.parts.scheduled.all(JULIET))
    assert sent == [f"m{number}" for number in range(140)]


def test_what_an_earlier_process_has_sent_already_is_not_sent_again(gateway: Gateway) -> None:
    sent: list[str] = []
    due = schedule(gateway, "m1", time.time())
    message = gateway.parts.scheduled.get(JULIET, due.id)
    assert message is not None
    attach(gateway.parts.router, lambda _, stanza: sent.append(stanza.attrib["id"]), restored=message.stanza)
    schedule(gateway, "m2", time.time())
    gateway.start()
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    assert sent == ["m2"]


def test_a_hosted_recipient_gets_it(gateway: Gateway) -> None:
    gateway.start()
    schedule(gateway, "m1", time.time() + 0.1, parse_jid(f"nurse@{DOMAIN}"))
    until(lambda: state(gateway, "m1") == "confirmed")


@pytest.mark.parametrize("what", ["banned", "removed"])
def test_rights_count_as_of_then(what: str, gateway: Gateway, sent: list[str], caplog: pytest.LogCaptureFixture) -> None:
    gateway.start()
    schedule(gateway, "m1", time.time() + 0.5)
    if what == "banned":
        Bans(gateway.driver, DOMAIN).ban(JULIET, {})
        until(lambda: state(gateway, "m1") == "refused")
        assert "scheduled-dropped" in caplog.text
    else:
        gateway.parts.accounts.unregister(JULIET)
    schedule(gateway, "m2", time.time() + 0.6, sender=parse_jid(f"nurse@{DOMAIN}"))
    until(lambda: sent == ["m2"])
    assert gateway.parts.scheduled.all(JULIET) == []


def test_the_component_needs_no_account(gateway: Gateway, sent: list[str]) -> None:
    gateway.start()
    sender = parse_jid(f"alerts@{DOMAIN}")
    stanza = parse_text(f"<message from='{sender}' to='{ROMEO}' id='m1'><body>x</body></message>")
    gateway.parts.scheduled.schedule_stanza(StanzaToSchedule(stanza, sender, ROMEO, of_component=True), time.time() + 0.1)
    until(lambda: sent == ["m1"])


def test_what_is_removed_is_not_sent(gateway: Gateway, sent: list[str]) -> None:
    gateway.start()
    due = schedule(gateway, "m1", time.time() + 0.5)
    assert gateway.parts.scheduled.remove(JULIET, due.id)
    assert not gateway.parts.scheduled.remove(JULIET, due.id)
    schedule(gateway, "m2", time.time() + 0.6)
    until(lambda: sent == ["m2"])
    assert gateway.parts.scheduled.get(JULIET, due.id) is None


def test_a_full_outbox_delays_and_loses_nothing(gateway: Gateway) -> None:
    ids: list[str] = []
    failures = [GatewayError("outbox-full"), StorageError("the disk is full"), GatewayError("link-down")]

    def take(_: str, stanza: Element) -> None:
        if failures:
            raise failures.pop()
        ids.append(stanza.attrib["id"])

    attach(gateway.parts.router, take)
    for identifier in ("m1", "m2"):
        schedule(gateway, identifier, time.time())
    gateway.start()
    until(lambda: sorted(ids) == ["m1", "m2"] and not gateway.parts.scheduled.all(JULIET))
    assert not failures


def test_the_share_of_one_sender_holds_up_nobody_else(gateway: Gateway) -> None:
    ids: list[str] = []
    full = [True]

    def take(_: str, stanza: Element) -> None:
        if full[0] and stanza.attrib["from"].startswith("juliet"):
            raise GatewayError("outbox-share")
        ids.append(stanza.attrib["id"])

    attach(gateway.parts.router, take)
    now = time.time()
    for number in range(140):
        schedule(gateway, f"j{number}", now)
    schedule(gateway, "n", now + 0.001, sender=parse_jid(f"nurse@{DOMAIN}"))
    gateway.start()
    until(lambda: ids == ["n"])
    until(lambda: gateway.parts.gauges(True)["scheduled_soon"] == 140)
    assert 0 < gateway.parts.gauges(True)["scheduled_late_seconds"] < LONG
    full[0] = False
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    found = gateway.parts.gauges(True)
    assert (found["scheduled_soon"], found["scheduled_late_seconds"]) == (0, 0)
    assert ids == ["n", *(f"j{number}" for number in range(140))]


def test_what_is_sent_and_cannot_be_removed_is_not_sent_twice(gateway: Gateway, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plain, failures = gateway.driver.update_members, [1, 2]
    schedule(gateway, "m1", time.time())

    def update(*args: object) -> None:
        if failures and args[2] == "scheduled":
            failures.pop()
            raise StorageError("gone for a moment")
        plain(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(gateway.driver, "update_members", update)
    gateway.start()
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    assert sent == ["m1"]


@pytest.mark.parametrize("step", ["load_members", "update_members"])
def test_what_the_storage_fails_of_one_owner_holds_up_nobody_else(
    step: str, gateway: Gateway, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, nurse = time.time(), parse_jid(f"nurse@{DOMAIN}")
    schedule(gateway, "j", now)
    schedule(gateway, "n", now + 0.001, sender=nurse)
    plain, failing = getattr(gateway.driver, step), [True]

    def fail(*args: object) -> object:
        if failing[0] and args[0] == "juliet" and args[2] == "scheduled":
            raise StorageError("the table cannot be read")
        return plain(*args)

    monkeypatch.setattr(gateway.driver, step, fail)
    gateway.start()
    until(lambda: not gateway.parts.scheduled.all(nurse))
    schedule(gateway, "n2", time.time(), sender=nurse)
    until(lambda: not gateway.parts.scheduled.all(nurse))
    failing[0] = False
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    assert sorted(sent) == ["j", "n", "n2"]


def test_those_here_are_sent_side_by_side_and_each_gets_them_in_order(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    sending, two_at_work = gateway.parts.sending, Barrier(2)
    plain = sending.send_many
    got: list[str] = []

    def send_many(stanzas: Sequence[OutboundMessage]) -> Sequence[object]:
        two_at_work.wait(LONG)  # it fails if they wait for each other
        got.extend(o.stanza.attrib["id"] for o in stanzas)
        return plain(stanzas)

    monkeypatch.setattr(sending, "send_many", send_many)
    at = time.time() + 1
    for number in range(3):
        for name in ("nurse", "admin"):
            schedule(gateway, f"{name}-{number}", at, parse_jid(f"{name}@{DOMAIN}"))
    gateway.start()
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    assert [i for i in got if i.startswith("nurse")] == ["nurse-0", "nurse-1", "nurse-2"]
    assert [i for i in got if i.startswith("admin")] == ["admin-0", "admin-1", "admin-2"]


def test_a_follower_schedules_and_the_leader_sends(pair: tuple[Gateway, Gateway]) -> None:
    leader, follower = pair
    sent: list[str] = []
    attach(leader.parts.router, lambda _, stanza: sent.append(stanza.attrib["id"]))
    due = schedule(follower, "m1", time.time() + 0.5)
    assert follower.parts.scheduled.remove(JULIET, due.id)
    schedule(follower, "m2", time.time() + 0.5)
    until(lambda: sent == ["m2"])
    until(lambda: not follower.parts.scheduled.all(JULIET))


SAID = Said(Kind.MESSAGE, "Disk is full", key="disk", state="firing")


def make_hook(gateway: Gateway, name: str = "ops", *targets: str) -> Hook:
    draft = Draft(JULIET, None, targets or (str(ROMEO), f"nurse@{DOMAIN}"), nick=name, update=True)
    return gateway.parts.hooks.make(name, draft)[0]


def test_a_hook_says_it_to_all_of_its_targets(gateway: Gateway, sent: list[str]) -> None:
    gateway.start()
    hook = make_hook(gateway)
    due = gateway.parts.scheduled.schedule_said(hook, SAID, time.time() + 0.1)
    (waiting,) = gateway.parts.scheduled.all(JULIET)
    assert (waiting.id, waiting.to, waiting.hook, waiting.body) == (due.id, (str(ROMEO), f"nurse@{DOMAIN}"), "ops", "Disk is full")
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    assert sent == [stanza_id(due.id, str(ROMEO))]
    assert state(gateway, stanza_id(due.id, f"nurse@{DOMAIN}")) == "confirmed"


@pytest.mark.parametrize("what", ["removed", "made again", "banned"])
def test_a_hook_that_may_not_any_more_says_nothing(what: str, gateway: Gateway, sent: list[str]) -> None:
    gateway.start()
    hook = make_hook(gateway)
    gateway.parts.scheduled.schedule_said(hook, SAID, time.time() + 0.5)
    if what == "banned":
        Bans(gateway.driver, DOMAIN).ban(JULIET, {})
    else:
        gateway.parts.hooks.remove(hook)
        assert gateway.parts.scheduled.all(JULIET) == []
    if what == "made again":
        make_hook(gateway)
    schedule(gateway, "m2", time.time() + 0.6, sender=parse_jid(f"nurse@{DOMAIN}"))
    until(lambda: sent == ["m2"])
    assert gateway.parts.scheduled.all(JULIET) == []


def test_what_no_target_can_take_now_is_said_later(gateway: Gateway) -> None:
    ids: list[str] = []
    failures = [GatewayError("outbox-full")]

    def take(identifier: str) -> None:
        if failures:
            raise failures.pop()
        ids.append(identifier)

    link(gateway, take)
    gateway.start()
    due = gateway.parts.scheduled.schedule_said(make_hook(gateway, "ops", str(ROMEO)), SAID, time.time() + 0.1)
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    assert ids == [stanza_id(due.id, str(ROMEO))]


def test_one_who_refuses_for_good_does_not_end_what_another_can_take_later(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []
    failures = [GatewayError("outbox-full")]
    monkeypatch.setattr(hook_messages, "PATIENCE", LONG)

    def take(identifier: str) -> None:
        if failures:
            raise failures.pop()
        ids.append(identifier)

    link(gateway, take)
    hook = make_hook(gateway, "ops", f"nobody@{DOMAIN}", str(ROMEO))
    due = gateway.parts.scheduled.schedule_said(hook, SAID, time.time() - 2 * LONG)  # since when no process has run
    gateway.start()
    until(lambda: not gateway.parts.scheduled.all(JULIET))
    assert ids == [stanza_id(due.id, str(ROMEO))]


def test_at_the_end_what_a_hook_is_saying_is_waited_for(make_app: MakeApp, tmp_path: Path) -> None:
    ids: list[str] = []
    for _ in range(2):
        gateway: Gateway = make_app(server_data_dir=str(tmp_path / "same")).extensions["gateway"]
        link(gateway, ids.append)
        if not ids:
            gateway.parts.accounts.register(JULIET, "secret")
            hook = make_hook(gateway, "ops", str(ROMEO))
            gateway.parts.scheduled.schedule_said(hook, SAID, time.time())
        gateway.start()
        until(lambda: ids)
        gateway.stop()
    assert len(ids) == 1
