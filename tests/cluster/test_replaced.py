"""A process that leads no more goes on as one of the others, whatever fails meanwhile (many-machines §8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conftest import AddMachine, Machine
from tests.conftest import register_users
from tests.link.attached import until
from xmpp_rest.cluster.identity import NodeIdentity, identify
from xmpp_rest.gateway import gateway as module


def goes_on(former: Machine, other: Machine) -> bool:
    """Whether both serve, by the other's lease."""
    return other.owns and not former.owns and {former.send("x").status_code, other.send("x").status_code} == {202}


@pytest.fixture
def pair(add_machine: AddMachine, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Machine]:
    """Two nodes of the test's own, the first of which owns."""
    monkeypatch.setattr(module, "RETRY", 0.1)
    first = add_machine("web1")
    register_users(first.app)
    return first, add_machine("web2")


def give_up(machine: Machine) -> None:
    cluster = machine.gateway.parts.joined.cluster
    assert cluster is not None
    assert cluster.keeper.give_up("it is tried")


def test_an_end_that_fails_is_an_end(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = pair
    parts = first.gateway.parts

    def fail() -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(parts.jobs, "stop", fail)
    monkeypatch.setattr(parts.hooks.uses, "settle", fail)
    ended: list[bool] = []
    monkeypatch.setattr(parts.leader, "end", lambda *, has_storage: ended.append(has_storage))
    give_up(first)
    until(lambda: first.gateway.parts is not parts and goes_on(first, second))
    assert ended == [True]
    assert "nobody foresaw this" in caplog.text


def test_parts_that_cannot_be_built_at_once_are_built_later(pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = pair
    parts = first.gateway.parts
    failures = [OSError(24, "Too many open files")] * 9

    def failing(data_dir: Path, name: str) -> NodeIdentity:
        if failures:
            raise failures.pop()
        return identify(data_dir, name)

    monkeypatch.setattr("xmpp_rest.gateway.wiring_cluster.identify", failing)
    answers: list[tuple[int, str | None]] = []

    def is_back() -> bool:
        answer = first.send("x")
        answers.append((answer.status_code, answer.headers.get("Retry-After")))
        return first.gateway.parts is not parts and goes_on(first, second)

    give_up(first)
    until(is_back)
    assert not failures
    assert set(answers) <= {(202, None), (503, "5")}
