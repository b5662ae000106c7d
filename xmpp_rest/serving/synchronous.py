"""A lean Flask: skips the steps for sessions, coroutines and the making of URLs, which these applications do not have."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import Rule


class NoSession(SessionInterface):
    """One empty session for all requests, that nobody can write to."""

    def __init__(self) -> None:
        self._none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """What Flask creates for each request where there is no secret key."""
        return self._none


class MatchingRule(Rule):
    """A URL rule that compiles the functions for `url_for` at their first call; Werkzeug compiles both of each rule as it is added.

    The gateway never calls them. With 45 rules that was 10 of the 17 ms that building the application took.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(partial(super()._compile_builder, append_unknown))
        return lambda rule, /, **values: compiled()(rule, **values)


class Synchronous(Flask):
    """A Flask application without sessions, all of whose functions are plain ones."""

    session_interface = NoSession()
    url_rule_class = MatchingRule

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: Flask looks at each, for each request, whether it is a coroutine's."""
        return func
