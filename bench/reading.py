"""The processor time of what the server does with the bytes of a request and of its answer, besides the sockets.

    python bench/reading.py [--rounds 30] [--batch 1000]

Batches of all rows are interleaved; the number printed is the least of the rounds, in µs. A small POST, and the head of its answer.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.config import Config

sys.path.insert(0, str(Path(__file__).parents[1]))

from xmpp_rest.serving.environ import make_environ
from xmpp_rest.serving.head_parser import HeadParser
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.llhttp import LlhttpHeadParser
from xmpp_rest.serving.reading import RequestReader
from xmpp_rest.serving.request import Request
from xmpp_rest.serving.response import ResponseHead

PEER, SERVER = ("127.0.0.1", 4711), ("127.0.0.1", 8080)
HEAD = b"""POST /rest HTTP/1.1
Host: 127.0.0.1:8080
User-Agent: curl/8.5.0
Accept: */*
Authorization: Bearer hand-in-glove-hand-in-glove
Content-Type: application/json
""".replace(b"\n", b"\r\n")
BODY = b'{"kind":"message","to":"romeo@montague.example","body":"Hi"}'
SIZED = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
FIELDS = [
    ("Content-Type", "application/json"),
    ("Content-Length", "31"),
    ("Access-Control-Allow-Origin", "*"),
    ("Cache-Control", "no-store"),
    ("Vary", "Authorization, Origin"),
]


def rows() -> dict[str, Callable[[], object]]:
    cfg = Config()
    limits = Limits.of(cfg)
    base: dict[str, Any] = {}

    def reading(parser: HeadParser, data: bytes) -> Callable[[], Request]:
        reader = RequestReader(limits, parser, PEER, lambda: None)

        def read() -> Request:
            reader.feed(data)
            request = reader.requests.popleft()
            request.body.read()
            return request

        return read

    fast = LlhttpHeadParser(cfg, limits)
    llhttp = reading(fast, SIZED)
    request = llhttp()

    def answer_head() -> bytes:
        return ResponseHead("200 OK", FIELDS, "POST", (1, 1)).serialise(keep_alive=True)

    def all_of_it() -> bytes:
        make_environ(llhttp(), PEER, SERVER, cfg, base)
        return answer_head()

    return {
        "read, llhttp": llhttp,
        "read, gunicorn's parser": reading(HeadParser(cfg, limits), SIZED),
        "read, in chunks": reading(fast, CHUNKED),
        "environ": lambda: make_environ(request, PEER, SERVER, cfg, base),
        "head of the answer": answer_head,
        "all of it, llhttp": all_of_it,
        "a new connection's reader": lambda: RequestReader(limits, fast, PEER, lambda: None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=1000)
    args = parser.parse_args()
    measured = rows()
    best = dict.fromkeys(measured, float("inf"))
    for _ in range(args.rounds):
        for name, work in measured.items():
            started = time.process_time()
            for _ in range(args.batch):
                work()
            best[name] = min(best[name], (time.process_time() - started) / args.batch)
    for name, seconds in best.items():
        print(f"{seconds * 1e6:7.1f}  {name}")


if __name__ == "__main__":
    main()
