"""FrameSender: the thread that sends the frames of a speaker, all that wait in one step."""

# many-machines §5

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable

from drivers import StorageError
from drivers.shared import Shared
from xmpp_rest.cluster.frames import NO_LINE, frame_text, pack
from xmpp_rest.cluster.line import Line
from xmpp_rest.processes.group import Message

log = logging.getLogger("xmpp_rest.server")

MOST = 64 << 20  # characters that may wait to be sent; a single message is shorter
MOST_SINGLE = 10_000  # payloads that belong to no line and may wait
LAST = 2.0  # seconds for what waits when it stops


class FrameSender:
    """One for a speaker. What cannot be sent ends its line. `put` and `put_single` may be called by any thread."""

    def __init__(self, shared: Callable[[], Shared], run: str) -> None:
        self._shared = shared
        self._run_name = run
        self._waiting: dict[Line, list[str]] = {}
        self._single: list[tuple[str, str]] = []  # channel and payload of what belongs to no line
        self._size = 0  # characters that wait
        self._stopping = False
        self._changed = threading.Condition()  # guards the four above
        self._thread = threading.Thread(target=self._run, name="frame sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, and end (bounded)."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(LAST)

    def put(self, line: Line, text: str) -> None:
        """Send a frame of a line soon, behind what was put before. Raises OSError if too much waits already."""
        with self._changed:
            if self._size + len(text) > MOST or self._stopping:
                raise OSError(errno.ENOBUFS, "too much waits to be sent to other nodes")
            self._waiting.setdefault(line, []).append(text)
            self._size += len(text)
            self._changed.notify_all()

    def put_single(self, to: str, frame: Message) -> None:
        """Send a frame that belongs to no line; it may be lost. Raises nothing."""
        with self._changed:
            if len(self._single) < MOST_SINGLE:  # a stranger may cause as many as he likes
                self._single += [(to, payload) for payload in pack(NO_LINE, 0, self._run_name, [frame_text(frame)])]
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._single or self._stopping)
                waiting, self._waiting = self._waiting, {}
                single, self._single = self._single, []
                self._size = 0
                stops = self._stopping
            try:
                self._send(waiting, single)
            except Exception as e:
                if not isinstance(e, StorageError):
                    log.exception("what this node says to others could not be sent")
                for line in waiting:
                    line.end(f"it could not be sent: {' '.join(str(e).split())}")
            if stops:
                return

    def _send(self, waiting: dict[Line, list[str]], single: list[tuple[str, str]]) -> None:
        payloads: list[tuple[str, str]] = []
        for line, texts in waiting.items():
            if not line.has_ended:
                payloads += line.pack(self._run_name, texts)
        payloads += single
        if payloads:
            self._shared().notify(payloads)
