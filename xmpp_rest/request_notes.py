"""Notes of the request at hand: its id, its API, its account. One object for each request, in its environ, and known to all that it calls.

The API is noted by its blueprint, and the account once it is known; the log and the observers of answers read them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

NOTES = "xmpp_rest.notes"  # in the environ
ID = "xmpp_rest.request_id"  # in the environ, for `http`, which knows no notes
OTHER = "other"
REQUEST_ID = "X-Request-Id"
"""The field of requests and answers."""
_TAKEN = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class RequestNotes:
    """What is known of one request. `account`: what its text names; None: nobody has said. `streams`: its answer is an event stream.

    `hook`: the name of the hook that it is to, "" for none; `vain`: whether it has waited in vain for a process that leads.
    """

    __slots__ = ("account", "api", "hook", "request_id", "streams", "vain")

    def __init__(self, request_id: str, api: str = OTHER) -> None:
        self.request_id = request_id
        self.api = api
        self.account: object = None
        self.hook = ""
        self.streams = False
        self.vain = False

    def is_of(self, api: str) -> None:
        """It is a request to this API."""
        self.api = api

    def is_by(self, account: object) -> None:
        """It is a request of this account."""
        self.account = account

    def is_to(self, hook: str) -> None:
        """It is a request to the hook of this name."""
        self.hook = hook

    def is_streamed(self) -> None:
        """Its answer is an event stream."""
        self.streams = True

    def has_waited(self) -> None:
        """It has waited in vain for a process that leads."""
        self.vain = True


CURRENT: ContextVar[RequestNotes | None] = ContextVar("request", default=None)
"""The request on whose behalf this thread, or task, works; None: no request's."""


class on_behalf_of:  # noqa: N801 (it is used as a function)
    """In this context this thread, or task, works on behalf of the request of this id; ""; of none."""

    __slots__ = ("_before", "_notes")

    def __init__(self, request_id: str | None) -> None:
        self._notes = RequestNotes(request_id) if request_id else None

    def __enter__(self) -> None:
        self._before = CURRENT.set(self._notes)

    def __exit__(self, *_: object) -> None:
        CURRENT.reset(self._before)


def current_id() -> str | None:
    """The id of the request at hand."""
    notes = CURRENT.get()
    return notes.request_id if notes is not None else None


def has_waited_in_vain() -> bool:
    """Whether the request at hand has waited as long for a process that leads as one may, so that it waits no more."""
    notes = CURRENT.get()
    return notes is not None and notes.vain


def note_vain_wait() -> None:
    """No process has led for as long as the request at hand may wait."""
    if (notes := CURRENT.get()) is not None:
        notes.has_waited()


def note_account(account: object) -> None:
    """The request at hand is that of this account."""
    if (notes := CURRENT.get()) is not None:
        notes.is_by(account)


def note_hook(name: str) -> None:
    """The request at hand is one to the hook of this name."""
    if (notes := CURRENT.get()) is not None:
        notes.is_to(name)


def new_id() -> str:
    """An id for what has none: a name, and no secret."""
    return f"{random.getrandbits(128):032x}"


def is_id(text: str) -> bool:
    """Whether this may be the id of a request."""
    return _TAKEN.fullmatch(text) is not None


def given_id(environ: Mapping[str, Any]) -> str | None:
    """The id that the client has given its request; None without one, and for what is none."""
    given = environ.get("HTTP_X_REQUEST_ID")
    return given if given is not None and is_id(given) else None


def note_request(environ: dict[str, Any]) -> RequestNotes:
    """The notes of the request with this environ, from now on those of the request at hand."""
    notes: RequestNotes | None = environ.get(NOTES)
    if notes is None:
        notes = environ[NOTES] = RequestNotes(given_id(environ) or new_id())
        environ[ID] = notes.request_id
    CURRENT.set(notes)
    return notes
