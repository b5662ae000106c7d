"""Sends the pictures that payloads name, after the text: fetched and stored as other files are (files §7)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from urllib.parse import unquote, urlsplit

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.fetching import BadUrl, FetchedHead, FileFetching
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.names import essence
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.shared_file import SharedFile
from xmpp_rest.service.files.uploads import IncomingFile, Uploads
from xmpp_rest.service.hooks.delivered import Delivered
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.sender import HookSender
from xmpp_rest.threads.daemon_pool import DaemonPool

log = logging.getLogger("xmpp_rest.hooks")

THREADS = 2
MOST = 100  # pictures that wait to be fetched in one process


class HookPictures:
    """Fetches behind the answers: no alert waits for a picture. The text has the URL, whatever becomes of it."""

    def __init__(
        self, address: JID, fetching: FileFetching, uploads: Uploads, files: FileService, sender: HookSender, incidents: Incidents
    ) -> None:
        """`address`: of the hooks of administrators and of the configuration, which may upload."""
        self._address = address
        self._fetching = fetching
        self._uploads = uploads
        self._files = files
        self._sender = sender
        self._incidents = incidents
        self._pool = DaemonPool(THREADS, "hook pictures")
        self._waiting = 0
        self._lock = Lock()

    def send(self, hook: Hook, delivered: Delivered) -> None:
        """Have the pictures of a delivered message follow it. Does not wait, and raises nothing."""
        pictures = delivered.said.pictures
        if not pictures or not self._fetching.is_allowed:
            return
        with self._lock:
            room = MOST - self._waiting
            self._waiting += min(room, len(pictures))
        if room < len(pictures):
            self._incidents.report(log, "hook-pictures", "%d pictures of the hook %s are not sent: too many wait", len(pictures), hook.name)
        reached = frozenset(result.to for result in delivered.results if result.error is None)
        for url in pictures[: max(room, 0)]:
            self._begin(lambda url=url: self._send(hook, reached, url))  # type: ignore[misc]  # mypy knows no default of a lambda

    def _begin(self, work: Callable[[], None]) -> None:
        def counted() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._waiting -= 1

        try:
            self._pool.submit(counted)
        except RuntimeError:  # the process ends, or has no thread left
            with self._lock:
                self._waiting -= 1

    def _send(self, hook: Hook, reached: frozenset[str], url: str) -> None:
        try:
            shared = self._stored(hook, url)
        except (FileRefused, BadUrl, GatewayError, StorageError) as e:
            self._incidents.report(log, "hook-picture", "a picture of the hook %s is not sent: %s", hook.name, e, level=logging.INFO)
            return
        self._sender.send_file(hook, reached, shared)

    def _stored(self, hook: Hook, url: str) -> SharedFile:
        if hook.owner != self._address:
            self._files.require_access(hook.owner)
        taken: list[IncomingFile] = []
        try:
            self._fetching.fetch(url, lambda head: self._begin_file(hook, url, head, taken))
            (file,) = taken
            if not file.size:
                raise FileRefused(422, "bad-request", "the picture is empty")
            offered = file.offer()
        finally:
            for file in taken:
                file.abort()
        return SharedFile(*offered[:5], self._files.is_inline(offered.media_type))

    def _begin_file(self, hook: Hook, url: str, head: FetchedHead, taken: list[IncomingFile]) -> Callable[[bytes], None]:
        if not essence(head.media_type).startswith("image/"):
            raise FileRefused(415, "not-acceptable", f"it is {essence(head.media_type)[:80] or 'of no type'}, and no picture")
        self._uploads.require_room(hook.owner, head.size or 0)
        name = unquote(urlsplit(url).path.rpartition("/")[2]) or "picture"
        taken.append(self._uploads.begin(hook.owner, name, head.media_type, size=head.size, expire=None))
        return taken[-1].write
