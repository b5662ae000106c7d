"""The turns of attempts at one service: as many at once as may, and those first for which somebody waits."""

from __future__ import annotations

from functools import partial

from xmpp_rest.service.rooms.attempt import Attempt, Turns
from xmpp_rest.service.rooms.values import Wish


def attempt(*, is_urgent: bool = False) -> Attempt:
    made = Attempt(Wish(), Wish(), iter(["juliet"]), was_out=False)
    made.is_urgent = is_urgent
    return made


def test_those_for_which_somebody_waits_come_first() -> None:
    turns, begun = Turns(2), list[str]()
    attempts = {name: attempt(is_urgent=name.startswith("u")) for name in ("a", "b", "c", "u1", "d", "u2")}
    for name, made in attempts.items():
        turns.ask("one", made, partial(begun.append, name))
    other = attempt()
    turns.ask("two", other, partial(begun.append, "other"))
    assert begun == ["a", "b", "other"]
    turns.end("one", attempts["c"])  # it does not want its turn any more
    turns.end("one", attempts["a"])
    turns.end("one", attempts["b"])
    assert begun == ["a", "b", "other", "u1", "u2"]
    turns.end("one", attempts["u2"])
    assert begun[-1] == "d"
    for name in ("u1", "d"):
        turns.end("one", attempts[name])
    turns.end("two", other)
    assert (turns._running, turns._waiting) == ({}, {})
