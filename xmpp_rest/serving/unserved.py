"""A bound on what all clients together may have sent of requests that have begun, and that nobody serves yet.

A head may have 800 KB and a body 64 KiB before a request is served, and so before it is known who sends it: with ten thousand connections
these would be gigabytes.
"""

from __future__ import annotations

from xmpp_rest.serving.request import BadRequest

FREE = 16 << 10  # bytes of one connection that do not count: all of nearly every request
MOST = 64 << 20  # bytes of all connections of a process beyond that


class Unserved:
    """The bytes of the connections that have more than FREE of them."""

    def __init__(self) -> None:
        self._sizes: dict[object, int] = {}
        self._sum = 0

    def note(self, connection: object, size: int) -> None:
        """This connection has so many bytes now. Raises BadRequest, 503, and forgets the connection, if all have too many."""
        self._sum += size - self._sizes.get(connection, 0)
        self._sizes[connection] = size
        if self._sum > MOST:
            self.forget(connection)
            raise BadRequest(503, "Service Unavailable", "too much has come of requests that are not complete; try again later")

    def forget(self, connection: object) -> None:
        """Its request is served, or refused, or it has ended."""
        self._sum -= self._sizes.pop(connection, 0)
