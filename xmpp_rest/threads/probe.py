"""Questions whose answer may be long in coming, such as one to a storage that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from xmpp_rest.threads.future import OneShot

T = TypeVar("T")
Answer = tuple[T | None, Exception | None]


class Probe(Generic[T]):
    """Asks one question at a time, on a thread of its own. Safe to be used by several threads and tasks."""

    def __init__(self, question: Callable[[], T], *, patience: float, kept: float) -> None:
        """`patience`: seconds that `ask` waits at most; `kept`: those for which an answer is good enough for others."""
        self._question = question
        self._patience = patience
        self._kept = kept
        self._lock = threading.Lock()
        self._latest: tuple[Answer[T], float] | None = None  # with the monotonic time until which it is good
        self._waiting: list[OneShot[Answer[T]]] | None = None  # for the answer to the question that is under way

    def ask(self) -> T:
        """The answer, or one that is at most `kept` seconds old. Raises what the question does, and TimeoutError: it takes longer."""
        value, error = self._answer()
        if error is not None:
            raise error.with_traceback(None)
        return value  # type: ignore[return-value]  # without an error it is a T

    def _answer(self) -> Answer[T]:
        with self._lock:
            if self._latest is not None and time.monotonic() < self._latest[1]:
                return self._latest[0]
            begins, self._waiting = self._waiting is None, self._waiting or []
            self._waiting.append(one := OneShot[Answer[T]]())
        if begins:
            self._begin()
        answer = one.wait(self._patience)
        if answer is None:
            self._forget(one)
            return None, TimeoutError()
        return answer

    def _begin(self) -> None:
        try:
            threading.Thread(target=self._run, name="probe", daemon=True).start()
        except RuntimeError as e:  # the system gives no thread
            self._give((None, e))

    def _run(self) -> None:
        try:
            answer: Answer[T] = self._question(), None
        except Exception as e:
            answer = None, e
        self._give(answer)

    def _give(self, answer: Answer[T]) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting or [], None
            self._latest = answer, time.monotonic() + self._kept
        for one in waiting:
            one.give(answer)

    def _forget(self, one: OneShot[Answer[T]]) -> None:
        """Nobody waits there any more."""
        with self._lock:
            if self._waiting is not None and one in self._waiting:
                self._waiting.remove(one)
