"""The smallest callback: an HTTP server that answers every POST with one message: `python bench/answering.py PORT`."""

from __future__ import annotations

import asyncio
import re
import sys

REPLY = b"<message><body>%b</body></message>"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/xmpp+xml\r\nContent-Length: %d\r\n\r\n%b"
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
BODY = re.compile(rb"<body>([^<]*)</body>")


class Answering(asyncio.Protocol):
    """One connection; requests may share a segment."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.data = transport, b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            found = LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            body, self.data = rest[:length], rest[length:]
            said = BODY.search(body)
            reply = REPLY % (said[1] if said else b"")
            self.transport.write(HEAD % (len(reply), reply))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
