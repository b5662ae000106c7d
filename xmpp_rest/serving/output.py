"""What is sent on a connection: at once as far as the kernel takes it, the rest as there is room."""

from __future__ import annotations

import threading
from collections import deque

from xmpp_rest.serving.client_socket import ClientSocket


class Output:
    """The bytes for one client, in their order. Safe to be used by several threads; nothing here waits."""

    def __init__(self, sock: ClientSocket) -> None:
        self._socket = sock
        self._left: deque[bytes | memoryview] = deque()
        self._lock = threading.Lock()
        self.pending = 0
        """Bytes that the kernel has not taken yet."""
        self.broken = False
        """Whether nothing can be sent any more."""

    def write(self, data: bytes) -> bool:
        """Send this; False: nothing can be sent any more."""
        with self._lock:
            if self.broken:
                return False
            left: bytes | memoryview = data if self._left else self._send(data)
            if left:
                self._left.append(left)
                self.pending += len(left)
        return not self.broken

    def flush(self) -> bool:
        """Send what is pending, as far as there is room; whether the kernel has taken any of it."""
        with self._lock:
            before = self.pending
            while self._left:
                left = self._send(self._left[0])
                self.pending -= len(self._left[0]) - len(left)
                if left:
                    self._left[0] = left
                    break
                self._left.popleft()
        return self.pending < before

    def drop(self) -> None:
        """Send nothing any more."""
        with self._lock:
            self.broken = True
            self._left.clear()
            self.pending = 0

    def farewell(self) -> None:
        """Tell the client of the end, where there is a way to."""
        with self._lock:
            if not self.broken:
                self._socket.farewell()

    def _send(self, data: bytes | memoryview) -> bytes | memoryview:
        """What the kernel has not taken."""
        while data:
            try:
                sent = self._socket.send(data)
            except OSError:
                self.broken = True
                return b""
            if not sent:
                break
            data = memoryview(data)[sent:] if sent < len(data) else b""
        return data
