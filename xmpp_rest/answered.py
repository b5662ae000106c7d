"""Tells observers of every answer that is finished, whichever server has sent it: the one place for access lines and metrics.

Our worker tells once the last byte is written, also of what it refuses itself; under other servers `serving/watched.py` does, around the
application.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from xmpp_rest.request_notes import NOTES, RequestNotes, new_id

log = logging.getLogger("xmpp_rest.server")

TOLD = "xmpp_rest.told"
"""In an environ: the server tells the observers itself."""
EXTENSION = "answers"
"""The Answers of an application are in its `extensions` under this name."""
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*|[^/]*@")  # RFC 9112 §3.2.2, §3.2.3: what may hold a password
_TOKEN = re.compile(r"(?<=/)hk_[^/]*")
_FILE = re.compile(r"(?<=/files/)[^/]+")
_WHOLE_TOKEN = re.compile("hk_[0-9A-Za-z]{27}")
HIDDEN = "hk_…"
"""In place of the token of a hook."""
HIDDEN_FILE = "…"
"""In place of the id of a file: who knows it may read the file."""
PATH = 512  # characters of a path that are told


class Answered(NamedTuple):
    """One answer that is finished, or has broken off. Fields of a request that could not be read are ""."""

    api: str
    method: str
    path: str
    """As it was sent, without the query and without tokens; at most PATH characters."""
    status: int
    seconds: float
    """Until the answer was written; of a stream until its head was."""
    lasted: float
    """Until the end, of a stream too."""
    streamed: bool
    bytes_in: int
    """Of the request's body."""
    bytes_out: int
    """Of the answer's body."""
    account: str | None
    """None: it is not known."""
    address: str
    user_agent: str
    request_id: str
    hook: str = ""
    """The name of the hook that it was a request to."""


Observer = Callable[[Answered], None]
"""Called by any thread; it does not wait."""


class Answers:
    """Whom each answer is told. `observers` returns them: the parts of a gateway are built in each process."""

    def __init__(self, observers: Callable[[], Iterable[Observer]]) -> None:
        self._observers = observers
        self._lock = Lock()
        self.under_way = 0
        """How many requests are served now, each by a thread, under a server that tells of none."""

    def begin(self) -> None:
        """A thread serves a request from now on, until `end`."""
        with self._lock:
            self.under_way += 1

    def end(self) -> None:
        with self._lock:
            self.under_way -= 1

    def tell(self, answered: Answered) -> None:
        """Tell the observers. Raises nothing."""
        for observer in self._observers():
            try:
                observer(answered)
            except Exception:
                log.exception("an answer could not be noted")


NOBODY = Answers(tuple)
"""For applications that have no observers."""


def describe(environ: Mapping[str, Any], status: int, begun: float, headed: float, sizes: tuple[int, int]) -> Answered:
    """The answer, finished now, to the request with this environ. `begun`, `headed`: on the monotonic clock; `sizes`: of both bodies."""
    notes: RequestNotes | None = environ.get(NOTES)
    lasted = time.monotonic() - begun
    if notes is None:
        notes = RequestNotes(new_id())
    account = None if notes.account is None else str(notes.account)
    seconds = headed - begun if notes.streams and headed else lasted
    return Answered(
        notes.api, environ.get("REQUEST_METHOD", ""), path_of(environ), status, seconds, lasted, notes.streams,
        *sizes, account, environ.get("REMOTE_ADDR", ""), environ.get("HTTP_USER_AGENT", ""), notes.request_id, notes.hook,
    )  # fmt: skip


def path_of(environ: Mapping[str, Any]) -> str:
    """The path for the log: as it was sent, where the server tells it, and so without blanks; at most PATH characters."""
    raw: str | None = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw is None:
        return shown_path(quote(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""), encoding="latin-1"))[:PATH]
    path = raw.partition("?")[0]
    return shown_path(path if path[:1] == "/" else _AUTHORITY.sub("", path))[:PATH]


def shown_path(path: str) -> str:
    """A path without tokens of hooks, and without what follows them, as senders append other secrets; and without ids of files."""
    if "/files/" in path:
        path = _FILE.sub(HIDDEN_FILE, path)
    if "hk_" not in path and "%" not in path:  # nearly always
        return path
    for text in (path, unquote(path, errors="replace")):
        if found := _TOKEN.search(text):
            return f"{text[: found.start()]}{HIDDEN}"
    return path


def without_tokens(text: str) -> str:
    """A text without whole tokens of hooks: for what is logged, wherever it comes from."""
    return _WHOLE_TOKEN.sub(HIDDEN, text) if "hk_" in text else text
