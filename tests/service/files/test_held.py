"""What is counted of files, slots and uploads."""

from __future__ import annotations

from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.held import Held, HeldBytes, HeldKind

JULIET, NURSE = parse_jid("juliet@capulet.example"), parse_jid("nurse@capulet.example")
FILE, SLOT, UPLOAD = HeldKind.FILE, HeldKind.SLOT, HeldKind.UPLOAD


def test_sums_follow_what_is_held() -> None:
    held = HeldBytes()
    held.put("a", Held(JULIET, 10, 50.0, SLOT))
    held.put("b", Held(JULIET, 5, None, UPLOAD, "7"))
    held.put("c", Held(NURSE, 3, 90.0, FILE))
    assert (held.total, held.sum(JULIET), held.sum(NURSE), held.count(JULIET, SLOT), held.of_files()) == (18, 15, 3, 1, (1, 3))
    held.put("a", Held(JULIET, 10, 99.0, FILE))  # the slot was used
    assert (held.total, held.sum(JULIET), held.count(JULIET, SLOT), held.of_files()) == (18, 15, 0, (2, 13))
    held.drop_over(60.0)  # the slot's end counts no more
    assert held.total == 18
    held.process_left("7")
    assert (held.total, held.ids(JULIET)) == (13, ["a"])
    held.drop_over(99.0)
    assert (held.total, held.sum(JULIET), held.ids(NURSE), held.of_files()) == (0, 0, [], (0, 0))
    held.drop("a")
    assert held.total == 0


def test_what_is_removed_leaves_nothing_behind() -> None:
    held = HeldBytes()
    for number in range(10_000):
        held.put(str(number), Held(JULIET, 1, 50.0 + number, FILE))
        if number % 10:
            held.drop(str(number))
    assert held.total == 1000
    assert len(held._ends) < 5000
    held.drop_over(49.0)
    assert held.total == 1000
    held.drop_over(50.0 + 5000)
    assert held.total == 499
    held.drop_over(20_000.0)
    assert (held.total, held._ends) == (0, [])


def test_when_there_will_be_room() -> None:
    held = HeldBytes()
    for name, size, until in (("a", 10, 30.0), ("b", 10, 20.0), ("c", 10, None)):
        held.put(name, Held(JULIET, size, until, FILE))
    assert (held.free_at(JULIET, 10), held.free_at(JULIET, 11), held.free_at(JULIET, 21), held.free_at(NURSE, 1)) == (20.0, 30.0, None, None)
