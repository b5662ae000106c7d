"""The check that no task holds a lock as it parks finds those that do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic
from tests.threads.tasks_everywhere import HeldLocks, install, run
from xmpp_rest.threads.tasks import OrderLock, current_task, pause

PROGRAM = "import threading\nlock, rlock, condition = threading.Lock(), threading.RLock(), threading.Condition()"


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> HeldLocks:
    return install(monkeypatch)


def made(name: str) -> dict[str, Any]:
    """The locks that a module of this name has made."""
    module: dict[str, Any] = {"__name__": name}
    exec(compile(PROGRAM, f"/{name}.py", "exec"), module)
    return module


def parking(lock: Any) -> Callable[[], None]:
    def work() -> None:
        with lock:
            pause(0.001)

    return work


@pytest.mark.parametrize("kind", ["lock", "rlock", "condition"])
def test_a_task_that_holds_a_lock_of_the_program_is_found(locks: HeldLocks, kind: str) -> None:
    with pytest.raises(AssertionError, match=r"xmpp_rest\.example\.py:2"):
        run(parking(made("xmpp_rest.example")[kind]))
    assert len(locks.violations) == 1


@pytest.mark.parametrize("kind", ["lock", "rlock", "condition"])
def test_those_of_others_and_those_given_back_do_not_matter(locks: HeldLocks, kind: str) -> None:
    lock = made("xmpp_rest.example")[kind]

    def work() -> None:
        with lock:
            assert current_task() is not None
        pause(0.001)

    run(work)
    run(parking(made("elsewhere")[kind]))
    assert (locks.violations, locks.parks) == ([], 2)


def test_another_task_may_hold_it(locks: HeldLocks) -> None:
    lock = made("xmpp_rest.example")["lock"]
    with lock:
        run(lambda: pause(0.001))
    assert (locks.violations, locks.parks) == ([], 1)


def test_an_order_lock_keeps_its_holder_from_parking(locks: HeldLocks) -> None:
    run(parking(OrderLock()))
    assert (locks.violations, locks.parks) == ([], 0)


def test_a_task_that_parks_within_a_driver_is_found(locks: HeldLocks) -> None:
    module: dict[str, Any] = {"__name__": "drivers.example"}
    exec(compile("def update(change):\n    change()", "/example.py", "exec"), module)
    with pytest.raises(AssertionError, match=r"the storage at example\.py:2"):
        run(lambda: module["update"](lambda: pause(0.001)))
    assert len(locks.violations) == 1


def test_conditions_work_with_checked_locks(locks: HeldLocks) -> None:
    condition, said = made("xmpp_rest.example")["condition"], list[str]()

    def wait() -> None:
        with condition:
            condition.wait_for(lambda: said, 30)
            said.append("woken")

    thread = threading.Thread(target=wait)
    thread.start()
    with condition:
        said.append("called")
        condition.notify()
    thread.join(30)
    assert said == ["called", "woken"]


def test_requests_are_tasks(locks: HeldLocks, client: FlaskClient) -> None:
    """Sending waits for the archive's commit with all of its round."""
    before = locks.parks
    assert client.post("/rest", json={"to": f"nurse@{DOMAIN}", "body": "hi"}, headers=basic("juliet")).status_code == 202
    assert locks.parks > before
    assert locks.violations == []
