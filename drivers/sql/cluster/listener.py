"""What comes in on channels: by LISTEN, or by looking for rows."""

# many-machines §5

from __future__ import annotations

import os
import select
import threading
import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import Notify, sql

from drivers import StorageError
from drivers.shared import FrameListener
from drivers.sql.boundedconnection import BoundedConnection
from drivers.sql.cluster import frames
from drivers.sql.cluster.connecting import SideConnections
from drivers.sql.postgreserrors import OutcomeUnknown
from drivers.sql.postgressession import PostgresSession
from drivers.sql.session import DatabaseSession

CLOSED = "nobody listens any longer"


class _Bell:
    """What a thread that polls is woken by."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Raises StorageError once closed."""
        if self._descriptor is None:
            raise StorageError(CLOSED)
        return self._descriptor

    def ring(self) -> None:
        with self._lock:
            if self._descriptor is not None:
                os.eventfd_write(self._descriptor, 1)

    def silence(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self.fileno())

    def close(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)


class _SideListener(FrameListener):
    """A connection, and what wakes the thread that waits for it; closed by that thread, or if there is none."""

    def __init__(self, connections: SideConnections, channels: Sequence[str], patience: float) -> None:
        """`patience`: seconds that one answer of the database may take. Raises StorageError."""
        self._connections, self._channels, self._patience = connections, channels, patience
        self._bell = _Bell()
        self._closed = False
        self._using = threading.Lock()
        try:
            self._connection: BoundedConnection = connections.connect()
            self._begin()
        except (psycopg.Error, OutcomeUnknown) as e:
            self.close()
            raise connections.error(e) from e
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Ready the connection. Raises psycopg.Error."""

    def receive(self, seconds: float) -> list[tuple[str, str]]:
        with self._using:
            if self._closed:
                self._end()
                raise StorageError(CLOSED)
            try:
                return self._receive(time.monotonic() + seconds)
            except (psycopg.Error, OutcomeUnknown) as e:
                self._connection.close()
                raise self._connections.error(e) from e
            finally:
                if self._closed:
                    self._end()

    @abstractmethod
    def _receive(self, until: float) -> list[tuple[str, str]]:
        """What has come by then. Raises psycopg.Error."""

    def wake(self) -> None:
        self._bell.ring()

    def close(self) -> None:
        self._closed = True
        self._bell.ring()
        if self._using.acquire(blocking=False):  # else the thread that waits does it
            try:
                self._end()
            finally:
                self._using.release()

    def _end(self) -> None:
        self._bell.close()
        connection: BoundedConnection | None = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()


class NotificationListener(_SideListener):
    """By LISTEN. What has not been heard of for a while is asked whether it is still there."""

    def _begin(self) -> None:
        self._heard: list[tuple[str, str]] = []
        self._asked = time.monotonic()
        self._connection.add_notify_handler(self._hear)
        with self._connection.ending(self._patience):
            for channel in self._channels:
                self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))

    def _hear(self, notification: Notify) -> None:
        self._heard.append((notification.channel, notification.payload))

    def _receive(self, until: float) -> list[tuple[str, str]]:
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLIN)
        poll.register(self._bell.fileno(), select.POLLIN)
        woken = False
        while True:
            self._take_in()
            now = time.monotonic()
            if self._heard or woken or now >= until or self._closed:
                return self._resolved()
            if now >= self._asked + self._patience:
                self._ask()
                continue
            ready = poll.poll(max(0.0, min(until, self._asked + self._patience) - now) * 1000 + 1)
            if any(descriptor == self._bell.fileno() for descriptor, _ in ready):
                self._bell.silence()
                woken = True

    def _take_in(self) -> None:
        """Read what the connection has, without waiting."""
        connection = self._connection
        connection.pgconn.consume_input()
        while notification := connection.pgconn.notifies():
            self._asked = time.monotonic()
            encoding = connection.info.encoding
            self._heard.append((notification.relname.decode(encoding), notification.extra.decode(encoding)))

    def _ask(self) -> None:
        with self._connection.ending(self._patience):
            self._connection.execute("SELECT 1")
        self._asked = time.monotonic()

    def _resolved(self) -> list[tuple[str, str]]:
        heard, self._heard = self._heard, []
        if not heard:
            return []
        with self._connection.ending(self._patience):
            return frames.resolve(PostgresSession(self._connection), heard)


class RowListener(_SideListener):
    """By looking for rows again and again, where there is no LISTEN."""

    def __init__(self, connections: SideConnections, channels: Sequence[str], patience: float, poll: float) -> None:
        self._poll = poll
        super().__init__(connections, channels, patience)

    def _receive(self, until: float) -> list[tuple[str, str]]:
        bell = select.poll()
        bell.register(self._bell.fileno(), select.POLLIN)
        while True:
            with self._connection.ending(self._patience):
                taken = self._connections.run(self._connection, self._take, whole=False)
            left = until - time.monotonic()
            if taken or left <= 0 or self._closed:
                return taken
            if bell.poll(min(self._poll, left) * 1000):
                self._bell.silence()
                until = time.monotonic()

    def _take(self, session: DatabaseSession) -> list[tuple[str, str]]:
        return frames.take(session, self._channels)
