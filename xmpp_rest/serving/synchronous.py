"""A lean Flask: skips the steps for sessions and coroutines, which these applications do not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface


class NoSession(SessionInterface):
    """One empty session for all requests, that nobody can write to."""

    def __init__(self) -> None:
        self._none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """What Flask creates for each request where there is no secret key."""
        return self._none


class Synchronous(Flask):
    """A Flask application without sessions, all of whose functions are plain ones."""

    session_interface = NoSession()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: Flask looks at each, for each request, whether it is a coroutine's."""
        return func
