"""EarThread: the thread that hears what other speakers say to this one."""

# many-machines §5

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from drivers import StorageError
from drivers.shared import FrameListener, Shared
from xmpp_rest.cluster.frames import Envelope, unpack
from xmpp_rest.incidents import Incidents

log = logging.getLogger("xmpp_rest.server")

LOOK = 1.0  # seconds between two looks whether it is to stop
RETRY = 0.2  # seconds between two attempts to listen


class EarThread:
    """One for a speaker. After each loss of its session with the storage it listens again; what was said meanwhile is lost."""

    def __init__(
        self,
        shared: Callable[[], Shared],
        channels: Sequence[str],
        take: Callable[[Envelope], None],
        on_session: Callable[[bool], None],
        incidents: Incidents,
    ) -> None:
        """`take` gets each payload, in order; `on_session` is told whether it listens. Both are called by the thread."""
        self._shared = shared
        self._channels = channels
        self._take = take
        self._on_session = on_session
        self._incidents = incidents
        self._listener: FrameListener | None = None
        self._stopping = threading.Event()
        self.is_taking = False
        """Whether it is at work on what has come, so that what came after that is not heard yet."""
        self._thread = threading.Thread(target=self._run, name="ear", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    @property
    def listens(self) -> bool:
        """Whether it hears what is said now."""
        return self._listener is not None

    def stop(self) -> None:
        """Hear no more (bounded)."""
        self._stopping.set()
        if (listener := self._listener) is not None:
            listener.wake()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(LOOK + RETRY)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except StorageError as e:
                self._incidents.report(log, "nodes-unheard", "what other nodes say cannot be heard: %s", " ".join(str(e).split()))
            except Exception:
                log.exception("what other nodes say cannot be heard")
            self._stopping.wait(RETRY)

    def _listen(self) -> None:
        """Listen until the session is over. Raises StorageError."""
        listener = self._shared().listen(self._channels)
        try:
            self._listener = listener
            self._on_session(True)
            while not self._stopping.is_set():
                received = listener.receive(LOOK)
                self.is_taking = True
                for _, payload in received:
                    self._take_one(payload)
                self.is_taking = False
        finally:
            self.is_taking = False
            self._listener = None
            listener.close()
            self._on_session(False)

    def _take_one(self, payload: str) -> None:
        try:
            self._take(unpack(payload))
        except Exception as e:  # whatever another node says, the next thing is heard
            self._incidents.report(log, "frame-skipped", "something that another node says is not understood: %s", type(e).__name__)
