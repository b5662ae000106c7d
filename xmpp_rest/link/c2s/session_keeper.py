"""What a session needs of the thread that serves all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.c2s.resuming import LogInAgain
from xmpp_rest.link.c2s.session_stream import SessionStream


class ServedSession(Protocol):
    """A session, as the thread sees it."""

    @property
    def reads(self) -> bool:
        """Whether it takes what the server sends."""

    def serve(self, readable: bool) -> None:
        """Read if there may be something, write what waits, and look what is due. Raises nothing."""

    def end(self, reason: str, *, unavailable: bool) -> None:
        """End."""


class SessionKeeper(Protocol):
    """The thread, as a session sees it."""

    log_in_again: LogInAgain
    incidents: Incidents

    @property
    def settings(self) -> SessionsSettings:
        """Those in force."""

    def next_number(self) -> int:
        """A number that no stream has had."""

    def is_here(self) -> bool:
        """Whether this is called on the thread."""

    def call(self, act: Callable[[], object]) -> None:
        """Call this on the thread, soon; for any thread."""

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Call this on the thread after so long."""

    def wants_service(self, session: ServedSession) -> None:
        """Have `serve` called, soon; for any thread."""

    def watch(self, session: ServedSession, stream: SessionStream) -> None:
        """Have `serve` called whenever there is something to do on this stream."""

    def forget(self, session: ServedSession) -> None:
        """Its stream is about to be closed."""

    def over(self, session: ServedSession) -> None:
        """The session has ended."""
