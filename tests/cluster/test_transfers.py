"""What crosses from the owner of one hosted domain to that of another: kept, in order, none lost (many-machines §11)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from drivers import BadValue, CommitInDoubt, StorageError
from drivers.shared import EVERYBODY, JournalChange, JournalRow, JournalRows, LeaseLost, TransferMark, TransferRow, channel_of
from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.link.attached import until
from xmpp_rest.cluster.frames import PASSED, unpack
from xmpp_rest.cluster.passed_text import PassedText
from xmpp_rest.cluster.shared_journal import SharedJournal
from xmpp_rest.cluster.transfer_in import AT_ONCE, ATTEMPTS, IncomingTransfers
from xmpp_rest.cluster.transfer_out import Bounds, Destination, OutgoingTransfers, PassedOnRows
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.held_back import HeldBack, Way

ACCOUNTS, ROOMS = "capulet.example", "conference.capulet.example"
RUN = "one"


class Taker:
    """Notes what it is handed, and fails as it is told to."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.request_ids: list[str] = []
        self.refused: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.raised: Exception | None = None
        self.untold: Exception | None = None
        self.held: list[set[Way]] = []

    def take(self, passed: Sequence[PassedText], held: set[Way]) -> list[Exception | None]:
        self.held.append(set(held))
        if self.raised is not None:
            raise self.raised
        errors = [self.failing.get(each.text) for each in passed]
        held.update((error.args[0], "") for error in errors if error is not None)
        self.taken += [each.text for each, error in zip(passed, errors, strict=True) if error is None]
        self.request_ids += [each.request_id for each, error in zip(passed, errors, strict=True) if error is None]
        return errors

    def refuse(self, passed: PassedText) -> Exception | None:
        if self.untold is None:
            self.refused.append(passed.text)
        return self.untold


class Crossing:
    """The owner of accounts, on one node, and that of rooms on another."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.one, self.other = FakeShared(self.database), FakeShared(self.database)
        own(self.one, ACCOUNTS, RUN)
        own(self.other, ROOMS, "two")
        self.now = 0.0
        self.out = self.outgoing()
        self.rooms_are_owned = True
        self.taker = Taker()
        self.bell = threading.Event()
        self.incoming = self.next_owner()

    def outgoing(self, epoch: int = 1) -> OutgoingTransfers:
        others = {ROOMS: Destination(ROOMS, lambda: self.one, lambda: self.rooms_are_owned)}
        return OutgoingTransfers(ACCOUNTS, lambda: self.one, others, RUN, lambda: epoch, Bounds(10, 7, 4, sender_of), lambda: self.now)

    def next_owner(self) -> IncomingTransfers:
        return IncomingTransfers(ROOMS, lambda: self.other, self.taker, self.bell, Incidents())

    def pass_on(self, *texts: str) -> None:
        self.out.pass_on(ROOMS, texts, ["req-1"] * len(texts))


def sender_of(text: str) -> str:
    """Of <name of=sender/>."""
    return text[1:-2].partition(" of=")[2]


def own(shared: FakeShared, hosted: str, run: str) -> None:
    epoch = shared.take(hosted, run, run, shared.leases().get(hosted))
    assert epoch is not None
    shared.fence(hosted, run, epoch, (hosted,), lambda: None)


@pytest.fixture
def crossing() -> Crossing:
    crossing = Crossing()
    crossing.out.open()
    return crossing


def test_what_is_passed_on_is_kept_in_order_and_removed_once_it_is_handled(crossing: Crossing) -> None:
    crossing.pass_on("<a/>", "<b/>")
    crossing.pass_on("<c/>")
    kept = [(row.hosted, row.source, row.number) for row in crossing.database.transferred]
    assert kept == [(ROOMS, f"{ACCOUNTS}>{ROOMS}/{RUN}/1", number) for number in (1, 2, 3)]
    assert not crossing.incoming.turn()
    assert (crossing.taker.taken, crossing.taker.request_ids) == (["<a/>", "<b/>", "<c/>"], ["req-1"] * 3)
    assert crossing.database.transferred == []
    crossing.out.close()


def test_the_other_owner_is_told_and_takes_it_by_itself(crossing: Crossing) -> None:
    listener = crossing.other.listen([channel_of(ROOMS, EVERYBODY)])
    crossing.pass_on("<a/>")
    ((_, payload),) = listener.receive(10)
    assert unpack(payload).frames == [{PASSED: True}]
    crossing.incoming.start()
    until(lambda: crossing.taker.taken == ["<a/>"] and not crossing.database.transferred)
    crossing.pass_on("<b/>")
    crossing.bell.set()
    until(lambda: crossing.taker.taken == ["<a/>", "<b/>"])
    crossing.incoming.stop()
    crossing.out.close()


def test_the_next_owner_goes_on_with_what_is_left(crossing: Crossing) -> None:
    crossing.pass_on("<a/>", "<b/>")
    crossing.taker.failing["<b/>"] = StorageError("the disk is full")
    crossing.incoming.turn()
    assert [row.text.partition("\n")[2] for row in crossing.database.transferred] == ["<b/>"]
    crossing.taker.failing.clear()
    crossing.next_owner().turn()
    assert crossing.taker.taken == ["<a/>", "<b/>"]
    assert crossing.database.transferred == []


def test_what_cannot_be_removed_is_not_handled_twice(crossing: Crossing, monkeypatch: pytest.MonkeyPatch) -> None:
    crossing.pass_on("<a/>")
    with monkeypatch.context() as failing:

        def fail(*_: object) -> JournalRows:
            raise StorageError("the database is away")

        failing.setattr(crossing.other, "journal", fail)
        with pytest.raises(StorageError):
            crossing.incoming.turn()
    crossing.pass_on("<b/>")
    crossing.incoming.turn()
    assert crossing.taker.taken == ["<a/>", "<b/>"]
    assert crossing.database.transferred == []


def test_what_its_source_has_kept_twice_is_handled_once(crossing: Crossing) -> None:
    crossing.pass_on("<a/>", "<b/>")
    repeated = crossing.database.transferred[0]
    crossing.incoming.turn()
    crossing.database.transferred.append(repeated._replace(seq=10))
    crossing.incoming.turn()
    assert crossing.taker.taken == ["<a/>", "<b/>"]
    assert crossing.database.transferred == []


def test_a_stanza_that_cannot_be_handled_is_refused_in_the_end(crossing: Crossing) -> None:
    crossing.pass_on("<a/>", "<b/>")
    crossing.taker.failing["<a/>"] = ValueError("no")
    for _ in range(ATTEMPTS - 1):
        crossing.incoming.turn()
    assert (crossing.taker.taken, crossing.taker.refused) == (["<b/>"], [])
    crossing.incoming.turn()
    assert crossing.taker.refused == ["<a/>"]
    assert crossing.database.transferred == []


def test_it_stays_until_its_sender_can_be_told(crossing: Crossing) -> None:
    crossing.pass_on("<a/>")
    crossing.taker.failing["<a/>"], crossing.taker.untold = ValueError("no"), GatewayError("storage-failed")
    for _ in range(ATTEMPTS + 2):
        crossing.incoming.turn()
    assert len(crossing.database.transferred) == 1
    crossing.taker.untold = None
    crossing.incoming.turn()
    assert (crossing.taker.refused, crossing.database.transferred) == (["<a/>"], [])
    crossing.pass_on("<b/>")
    crossing.taker.failing["<b/>"], crossing.taker.untold = ValueError("no"), ValueError("it can never be told")
    for _ in range(ATTEMPTS):
        crossing.incoming.turn()
    assert crossing.database.transferred == []


@pytest.mark.parametrize("error", [StorageError("no standby"), GatewayError("storage-failed")])
def test_nothing_is_refused_while_the_storage_keeps_nothing(crossing: Crossing, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """It may be read, as without the standby of `copies = 2`: the lease is renewed, and no commit confirmed."""
    crossing.pass_on("<a/>", "<b/>")
    crossing.taker.failing["<a/>"] = error
    with monkeypatch.context() as failing:

        def fail(*_: object) -> JournalRows:
            raise StorageError("the standby does not confirm it")

        failing.setattr(crossing.other, "journal", fail)
        for _ in range(ATTEMPTS + 1):
            with pytest.raises(StorageError):
                crossing.incoming.turn()
    assert (crossing.taker.taken, crossing.taker.refused) == (["<b/>"], [])  # what was handled is not handled again
    crossing.taker.failing.clear()
    crossing.incoming.turn()
    assert (crossing.taker.taken, crossing.taker.refused) == (["<b/>", "<a/>"], [])
    assert crossing.database.transferred == []


@pytest.mark.parametrize("error", [StorageError("this one"), BadValue("this one"), GatewayError("storage-failed")])
def test_what_the_storage_refuses_while_it_keeps_all_else_is_refused_in_the_end(crossing: Crossing, error: Exception) -> None:
    crossing.pass_on("<a/>")
    crossing.taker.failing["<a/>"] = error
    for _ in range(ATTEMPTS):
        crossing.incoming.turn()
    assert crossing.taker.refused == ["<a/>"]
    assert crossing.database.transferred == []


def test_what_waits_behind_another_one_is_no_attempt(crossing: Crossing) -> None:
    crossing.pass_on("<a/>", "<b/>", *(f"<c n='{n}'/>" for n in range(AT_ONCE)))
    crossing.taker.failing = {"<a/>": ValueError("no"), "<b/>": HeldBack("b")}
    for _ in range(ATTEMPTS):
        crossing.incoming.turn()
    assert crossing.taker.refused == ["<a/>"]
    assert crossing.taker.held[1] == {("no", ""), ("b", "")}  # those that follow know of it, in this turn
    assert crossing.taker.held[2] == set()
    assert [row.text.partition("\n")[2] for row in crossing.database.transferred] == ["<b/>"]
    crossing.taker.failing.clear()
    crossing.incoming.turn()
    assert crossing.taker.taken[-1] == "<b/>"
    assert crossing.database.transferred == []


def test_what_nobody_foresaw_does_not_hold_up_all_that_follows(crossing: Crossing) -> None:
    crossing.pass_on("<a/>")
    crossing.taker.raised = ValueError("no")
    for _ in range(ATTEMPTS):
        crossing.incoming.turn()
    assert crossing.taker.refused == ["<a/>"]
    crossing.taker.raised = StorageError("the database is away")
    crossing.pass_on("<b/>")
    for _ in range(ATTEMPTS + 1):
        with pytest.raises(StorageError):
            crossing.incoming.turn()
    crossing.taker.raised = None
    crossing.incoming.turn()
    assert crossing.taker.taken == ["<b/>"]


def test_an_owner_that_has_lost_its_lease_takes_nothing_away(crossing: Crossing) -> None:
    crossing.pass_on("<a/>")
    own(FakeShared(crossing.database), ROOMS, "three")
    with pytest.raises(LeaseLost):
        crossing.incoming.turn()
    assert len(crossing.database.transferred) == 1


def test_a_handler_that_finds_the_lease_lost_leaves_all_that_follows(crossing: Crossing) -> None:
    crossing.pass_on("<a/>", "<b/>")
    crossing.taker.failing["<a/>"] = LeaseLost("the lease is another's")
    with pytest.raises(LeaseLost):
        crossing.incoming.turn()
    assert len(crossing.database.transferred) == 2


def test_an_owner_that_has_lost_its_lease_passes_nothing_on(crossing: Crossing) -> None:
    own(FakeShared(crossing.database), ACCOUNTS, "three")
    with pytest.raises(GatewayError, match="cannot be kept"):
        crossing.pass_on("<a/>")
    assert crossing.database.transferred == []


def test_nothing_is_passed_on_before_the_beginning() -> None:
    with pytest.raises(GatewayError, match="does not serve yet"):
        Crossing().pass_on("<a/>")


def test_whether_a_domain_is_owned_is_told_at_once(crossing: Crossing) -> None:
    assert crossing.out.is_owned(ROOMS)
    crossing.rooms_are_owned = False
    assert not crossing.out.is_owned(ROOMS)


def refusal(crossing: Crossing, *texts: str) -> str:
    """The name of the error, if there is one; nothing of it is kept then."""
    before = len(crossing.database.transferred)
    try:
        crossing.pass_on(*texts)
    except GatewayError as e:
        assert len(crossing.database.transferred) == before
        return e.name
    return ""


def test_no_more_than_so_much_waits_for_another_owner_in_all_and_of_one_sender(crossing: Crossing) -> None:
    juliet, nurse = "<a of=juliet/>", "<a of=nurse/>"
    assert refusal(crossing, *[juliet] * 5) == "outbox-share"
    assert [refusal(crossing, juliet) for _ in range(5)] == ["", "", "", "", "outbox-share"]
    assert refusal(crossing, *[nurse] * 4) == ""
    assert refusal(crossing, "<a/>", "<a/>") == ""
    assert refusal(crossing, "<a/>") == "outbox-full"
    crossing.out.pass_on(ROOMS, ["<answer/>"], [""], is_answer=True)  # for which something was taken
    assert len(crossing.database.transferred) == 11  # nothing that was accepted is gone
    crossing.incoming.turn()
    assert crossing.database.transferred == []
    crossing.now += 1
    assert [refusal(crossing, juliet) for _ in range(5)] == ["", "", "", "", "outbox-share"]
    assert refusal(crossing, *[nurse] * 4) == ""


def test_what_is_taken_away_makes_room_at_once(crossing: Crossing) -> None:
    """Though the storage is not asked each time: more than the bound goes through it within no time."""
    for _ in range(10):
        assert [refusal(crossing, "<a of=juliet/>") for _ in range(4)] == [""] * 4
        crossing.incoming.turn()
    assert len(crossing.taker.taken) == 40
    assert crossing.one.calls["transfer_marks"] == 9


def test_a_storage_is_not_asked_all_the_time_whether_there_is_room(crossing: Crossing) -> None:
    crossing.pass_on(*["<a/>"] * 10)
    assert [refusal(crossing, "<a/>") for _ in range(20)] == ["outbox-full"] * 20
    assert crossing.one.calls["transfer_marks"] == 1
    crossing.now += 1
    assert refusal(crossing, "<a/>") == "outbox-full"
    assert crossing.one.calls["transfer_marks"] == 2


def test_what_an_earlier_owner_has_passed_on_counts(crossing: Crossing) -> None:
    crossing.pass_on(*["<a of=juliet/>"] * 3)
    crossing.out.close()
    crossing.out = crossing.outgoing(2)
    crossing.out.open()
    assert [refusal(crossing, "<a of=juliet/>") for _ in range(2)] == ["", "outbox-share"]
    others = [TransferRow(100 + n, ROOMS, "other>rooms/x/1", n, "\n<a/>") for n in range(6)]  # of a third domain, since
    crossing.database.transferred += others
    crossing.now += 1
    assert refusal(crossing, "<a of=nurse/>") == ""  # there is room for all that is known
    assert refusal(crossing, "<a of=juliet/>") == "outbox-full"  # once they are counted
    assert refusal(crossing, "<a of=nurse/>") == "outbox-full"


def test_what_could_not_be_kept_takes_no_room(crossing: Crossing) -> None:
    own(FakeShared(crossing.database), ACCOUNTS, "three")
    assert [refusal(crossing, "<a of=juliet/>") for _ in range(5)] == ["storage-failed"] * 5


def test_a_storage_that_cannot_tell_whether_there_is_room_has_failed(crossing: Crossing, monkeypatch: pytest.MonkeyPatch) -> None:
    crossing.pass_on(*["<a/>"] * 10)

    def fail(_: str) -> list[TransferMark]:
        raise StorageError("the database is away")

    monkeypatch.setattr(crossing.one, "transfer_marks", fail)
    assert refusal(crossing, "<a/>") == "storage-failed"


def test_rooms_take_nothing_in_while_there_is_no_room_for_what_comes_of_it(crossing: Crossing) -> None:
    """What they say to accounts is not refused: so it does not get that far."""
    crossing.pass_on(*["<a/>"] * 7)
    assert not crossing.out.has_room()
    taken = Taker()
    rooms = IncomingTransfers(ROOMS, lambda: crossing.other, taker := crossing.taker, crossing.bell, Incidents(), may_take=crossing.out.has_room)
    assert not rooms.turn()
    assert taker.taken == taken.taken == []
    crossing.now += 1
    crossing.next_owner().turn()  # the accounts have an owner again
    assert not crossing.database.transferred
    crossing.pass_on("<b/>")
    rooms.turn()
    assert taker.taken[-1] == "<b/>"
    assert crossing.out.has_room()


def test_what_is_left_for_lack_of_room_is_taken_later_and_in_order(crossing: Crossing) -> None:
    """There is room again at once, but what comes behind is not taken first."""
    texts = [f"<a{number}/>" for number in range(AT_ONCE + 2)]
    crossing.pass_on(*texts)
    room = iter([True, False, True, True, True])
    rooms = IncomingTransfers(ROOMS, lambda: crossing.other, crossing.taker, crossing.bell, Incidents(), at_once=4, may_take=lambda: next(room))
    rooms.turn()
    assert crossing.taker.taken == texts[:4]
    rooms.turn()
    assert crossing.taker.taken == texts
    assert crossing.database.transferred == []


class DoubtfulRows(JournalRows):
    """Rows whose first commit is made, and said to be in doubt."""

    def __init__(self) -> None:
        self.kept: list[TransferRow] = []
        self.commits = 0

    def read(self) -> list[JournalRow]:
        return [JournalRow(7, "of somebody else")]

    def commit(self, change: JournalChange) -> list[Exception | None]:
        self.commits += 1
        self.kept += [row for row in change.passed_on if row not in self.kept]
        if self.commits == 1:
            raise CommitInDoubt("the connection broke")
        return []


def test_a_commit_in_doubt_is_repeated_with_the_same_numbers() -> None:
    rows = DoubtfulRows()
    told: list[int] = []
    tell: Callable[[], None] = lambda: told.append(rows.commits)  # noqa: E731
    passed = PassedOnRows(rows, ROOMS, "source", tell)
    assert passed.read() == []
    change = JournalChange(added=[JournalRow(1, "\n<a/>")])
    with pytest.raises(CommitInDoubt):
        passed.commit(change)
    assert passed.commit(change) == []
    assert rows.kept == [TransferRow(0, ROOMS, "source", 1, "\n<a/>")]
    assert told == [2]


def texts_of(crossing: Crossing) -> list[str]:
    """What waits for the owner of the rooms."""
    return [row.text.partition("\n")[2] for row in crossing.database.transferred]


def test_what_could_not_be_kept_is_kept_before_all_that_follows(crossing: Crossing, monkeypatch: pytest.MonkeyPatch) -> None:
    crossing.out.settle()
    crossing.out.pass_on_later(ROOMS, ["<a of=x/>", "<b/>"], ["req-1", "req-1"])
    with monkeypatch.context() as failing:
        failing.setattr(SharedJournal, "append", fail_to_append)
        with pytest.raises(StorageError, match="the disk"):
            crossing.out.settle()
        with pytest.raises(GatewayError, match="storage-failed"):
            crossing.pass_on("<c/>")
    assert texts_of(crossing) == []
    crossing.pass_on("<d/>")
    assert texts_of(crossing) == ["<a of=x/>", "<b/>", "<d/>"]
    crossing.out.settle()
    assert texts_of(crossing) == ["<a of=x/>", "<b/>", "<d/>"]
    crossing.pass_on(*["<e of=x/>"] * 3)
    with pytest.raises(GatewayError, match="of one sender"):  # what was kept late counts
        crossing.pass_on("<f of=x/>")
    crossing.out.close()


def fail_to_append(*_: object) -> None:
    raise OSError(5, "the disk")


def test_what_a_commit_in_doubt_has_kept_is_not_kept_again(crossing: Crossing, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, doubts = PassedOnRows.commit, [CommitInDoubt("the standby is gone", lasting=True)]

    def doubtful(rows: PassedOnRows, change: JournalChange) -> list[Exception | None]:
        done = commit(rows, change)
        if doubts:
            raise doubts.pop()
        return done

    monkeypatch.setattr(PassedOnRows, "commit", doubtful)
    with pytest.raises(GatewayError, match="storage-failed"):
        crossing.pass_on("<a/>")
    crossing.out.pass_on_later(ROOMS, ["<a/>"], ["req-1"])
    crossing.now += 60.0
    crossing.out.settle()
    assert texts_of(crossing) == ["<a/>"]
    crossing.out.close()


def test_nothing_is_removed_or_taken_before_what_came_of_it_is_kept(crossing: Crossing) -> None:
    errors: list[StorageError] = []

    def settle() -> None:
        if crossing.taker.taken and errors:
            raise errors.pop()

    incoming = IncomingTransfers(ROOMS, lambda: crossing.other, crossing.taker, crossing.bell, Incidents(), at_once=1, settle=settle)
    crossing.pass_on("<a/>", "<b/>")
    errors += [StorageError("the standby is gone")] * 2
    for _ in range(2):
        with pytest.raises(StorageError, match="the standby"):
            incoming.turn()
        assert (crossing.taker.taken, len(crossing.database.transferred)) == (["<a/>"], 2)
    incoming.turn()
    assert (crossing.taker.taken, crossing.database.transferred) == (["<a/>", "<b/>"], [])
    crossing.out.close()
