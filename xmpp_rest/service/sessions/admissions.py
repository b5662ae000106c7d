"""Decides who gets in: the six cases of accounts-anywhere §5.1, and the logins and checks that some of them need."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.errors import GatewayError
from xmpp_rest.metrics.families import SESSION_REFUSALS
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.asking import DISABLED, LoginCounts
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.login_queue import LoginJob
from xmpp_rest.service.sessions.logins import Logins
from xmpp_rest.service.sessions.proofs import is_same, proof_of
from xmpp_rest.service.sessions.session_table import KeptSession
from xmpp_rest.service.sessions.wrong_passwords import Bound, Guess

log = logging.getLogger("xmpp_rest.sessions")

Admitted = JID | WrongPassword | GatewayError
"""How it ended: the full address of the session, or why there is no way in."""
Give = Callable[[Admitted], object]


class NextStep(Enum):
    """What has to be done before the answer is known."""

    RECHECK = "recheck"  # case 4: the session's own password was proven too long ago
    CHANGE = "change"  # case 5: another password than the session's
    LOGIN = "login"  # case 6


@dataclass(eq=False)
class EntryAttempt:
    """A login or check that runs, or waits for its turn, and who waits for its outcome. Guarded by the core's lock."""

    guess: Guess
    password: str = field(repr=False)
    waiting: list[Give] = field(default_factory=list)
    has_ended: bool = False

    def end(self) -> bool:
        """Whether this is the first time."""
        ended, self.has_ended = self.has_ended, True
        return not ended


class SessionAdmissions:
    """Safe to be used by several threads, in the leader."""

    def __init__(self, core: SessionCore, logins: Logins, counts: LoginCounts) -> None:
        self._core = core
        self._counts = counts
        self._logins = logins
        self._attempts: dict[tuple[JID, bytes], EntryAttempt] = {}

    def enter(self, account: JID, proof: bytes, address: str) -> Admitted | None:
        """The answer for a bare address, if no server has to be asked for it: cases 1 to 3. None: `begin`."""
        with self._core.lock:
            if (account, proof) in self._attempts:
                return None
            verdict = self._judge(Guess(account, address, proof))
        return None if isinstance(verdict, NextStep) else self._noted(verdict)

    def begin(self, account: JID, password: str, address: str, give: Give) -> None:
        """Let somebody in, or not: `give` is called once, now or later, by any thread; it must be quick."""
        try:
            guess = Guess(account, address, proof_of(self._core.key, account, password))
        except WrongPassword as e:
            give(e)
            return
        key = account, guess.proof
        with self._core.lock:
            attempt = self._attempts.get(key)
            if attempt is not None:
                attempt.waiting.append(give)
                return
            verdict = self._judge(guess)
            if isinstance(verdict, NextStep):
                attempt = self._attempts[key] = EntryAttempt(guess, password, [give])
        if attempt is None:
            assert not isinstance(verdict, NextStep)
            give(self._noted(verdict))
        else:
            self._queue(attempt)

    def _queue(self, attempt: EntryAttempt) -> None:
        def begins() -> bool:
            """Whether it need not wait for the outcome of others; it counts from now on."""
            with self._core.lock:
                is_open = self._core.wrong.is_open(attempt.guess)
                if is_open:
                    self._core.wrong.begin(attempt.guess)
                return is_open

        try:
            self._core.queue.put(
                LoginJob(attempt.guess.account, begins, lambda: self._run(attempt), lambda error: self._end(attempt, error))
            )
        except GatewayError as e:
            self._end(attempt, self._noted(e))

    def _noted(self, verdict: Admitted) -> Admitted:
        """What is said without asking the server, which is counted unless somebody is let in."""
        if isinstance(verdict, WrongPassword) or (isinstance(verdict, GatewayError) and verdict.name == DISABLED):
            self._counts.session_refused("known-wrong")
        elif isinstance(verdict, GatewayError):
            self._counts.session_refused(verdict.name if verdict.name in SESSION_REFUSALS else "backoff")
        return verdict

    def _run(self, attempt: EntryAttempt) -> None:
        """On a thread of the queue: what was decided when it came is decided again, as another attempt may have ended meanwhile."""
        guess = attempt.guess
        with self._core.lock:
            verdict = self._judge(guess)
            if isinstance(verdict, NextStep):
                try:
                    if verdict is NextStep.LOGIN:
                        self._core.table.claim(guess.account.domain)
                except GatewayError as e:
                    verdict = e
        self._end(attempt, self._perform(verdict, attempt) if isinstance(verdict, NextStep) else self._noted(verdict))

    def _perform(self, step: NextStep, attempt: EntryAttempt) -> Admitted:
        if step is NextStep.LOGIN:
            return self._logins.log_in(attempt.guess, attempt.password)
        return self._logins.check(attempt.guess, attempt.password, ends_if_refused=step is NextStep.RECHECK)

    def _end(self, attempt: EntryAttempt, outcome: Admitted) -> None:
        """Tell all who wait for it; the first outcome counts."""
        with self._core.lock:
            if not attempt.end():
                return
            self._core.wrong.end(attempt.guess)
            del self._attempts[attempt.guess.account, attempt.guess.proof]
        for give in attempt.waiting:
            try:
                give(outcome)
            except Exception:  # the others are told
                log.exception("the outcome of a login could not be told")

    # -- the cases, in order

    def _judge(self, guess: Guess) -> Admitted | NextStep:
        """The answer, or what is to be done for it."""
        kept = self._core.table.get(guess.account)
        if kept is not None and kept.session.has_ended:  # and nobody was told yet
            self._core.table.remove(kept)
            kept = None
        return next(verdict for rule in _RULES if (verdict := rule(self, guess, kept)) is not None)

    def _is_own(self, guess: Guess, kept: KeptSession | None) -> bool:
        return kept is not None and is_same(kept.proof, guess.proof)

    def _known(self, guess: Guess, kept: KeptSession | None) -> JID | None:
        """Case 1."""
        if kept is None or not self._is_own(guess, kept) or self._core.clock() - kept.proven >= self._core.settings.recheck:
            return None
        self._core.table.use(kept)
        return kept.session.jid

    def _refused(self, guess: Guess, kept: KeptSession | None) -> WrongPassword | GatewayError | None:
        """Case 2."""
        return self._core.refused.get(guess.proof)

    def _held_back(self, guess: Guess, kept: KeptSession | None) -> GatewayError | None:
        """Case 3. A session's own password is not a guess, so that the count of its domain does not keep it out."""
        bounds = (Bound.ACCOUNT, Bound.ADDRESS) if self._is_own(guess, kept) else tuple(Bound)
        try:
            self._core.wrong.require_few(guess, bounds)
            self._core.pauses.require_none(guess.account)
        except GatewayError as e:
            return e
        return None

    def _asked(self, guess: Guess, kept: KeptSession | None) -> NextStep:
        """Cases 4 to 6."""
        if kept is None:
            return NextStep.LOGIN
        return NextStep.RECHECK if self._is_own(guess, kept) else NextStep.CHANGE


_RULES: tuple[Callable[[SessionAdmissions, Guess, KeptSession | None], Admitted | NextStep | None], ...] = (
    SessionAdmissions._known, SessionAdmissions._refused, SessionAdmissions._held_back, SessionAdmissions._asked,
)  # fmt: skip
