"""Uploads of accounts elsewhere: as many at once as there is place for where files wait until their size is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Lock

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.uploads import IncomingFile, Offered, Uploads

MOST, MOST_OF_DOMAIN, MOST_OF_ONE = 32, 16, 4  # files at once, in one process: a service that takes them slowly holds up no others
MANY = "As many files of accounts of other servers are under way as may be; try again later"
MANY_OWN = f"{MOST_OF_ONE} files of this account are under way; try again when they are through"
RETRY = 5  # seconds


class SessionUploads:
    """Safe to be used by several threads."""

    def __init__(self, uploads: Uploads) -> None:
        """`uploads`: to their servers."""
        self._uploads = uploads
        self._open: Counter[JID] = Counter()
        self._domains: Counter[str] = Counter()  # likewise, by domain
        self._lock = Lock()

    def require_room(self, owner: JID, size: int) -> None:
        self._uploads.require_room(owner, size)

    def begin(self, owner: JID, name: str, media_type: str, *, size: int | None, expire: float | None) -> IncomingFile:
        account = owner.bare
        with self._lock:
            if self._open[account] >= MOST_OF_ONE:
                raise FileRefused(429, "resource-constraint", MANY_OWN, RETRY)
            if self._open.total() >= MOST or self._domains[account.domain] >= MOST_OF_DOMAIN:
                raise FileRefused(503, "resource-constraint", MANY, RETRY)
            self._open[account] += 1
            self._domains[account.domain] += 1
        try:
            file = self._uploads.begin(owner, name, media_type, size=size, expire=expire)
        except BaseException:
            self._end(account)
            raise
        return _CountedFile(file, lambda: self._end(account))

    def _end(self, account: JID) -> None:
        with self._lock:
            self._open[account] -= 1
            self._domains[account.domain] -= 1
            if not self._open[account]:
                del self._open[account]
            if not self._domains[account.domain]:
                del self._domains[account.domain]


class _CountedFile:
    """One that counts until it is aborted, which it is at its end in any case."""

    def __init__(self, file: IncomingFile, on_end: Callable[[], None]) -> None:
        self._file = file
        self._on_end = on_end
        self._has_ended = False

    @property
    def size(self) -> int:
        return self._file.size

    @property
    def sha256(self) -> str:
        return self._file.sha256

    def describe(self, name: str, media_type: str, expire: float | None) -> None:
        self._file.describe(name, media_type, expire)

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def offer(self) -> Offered:
        return self._file.offer()

    def abort(self) -> None:
        self._file.abort()
        if not self._has_ended:
            self._has_ended = True
            self._on_end()
