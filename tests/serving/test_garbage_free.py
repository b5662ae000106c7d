"""What belongs to a request goes with it: nothing of ours is left for the collector of cycles, which would look for it among all else."""

from __future__ import annotations

import http.client
from contextlib import closing
from pathlib import Path

from tests.serving.worker_server import Server

REQUESTS = 20  # of each kind; an answer that is pushed has a cycle, as its end is told to who began it
OF_A_CONNECTION = {"Connection", "ClientSocket", "RequestReader", "Output"}  # which has one cycle in all its life
COLLECTED = """
import gc
gc.set_debug(gc.DEBUG_SAVEALL)

@app.route("/collected")
def collected():
    gc.collect()
    ours = [type(found).__name__ for found in gc.garbage if type(found).__module__.startswith("xmpp_rest.")]
    gc.garbage.clear()
    return " ".join(ours)
"""


def test_a_request_leaves_no_cycle(tmp_path: Path) -> None:
    server = Server(tmp_path, more=COLLECTED)
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:

            def ask(path: str, body: bytes | None = None) -> str:
                connection.request("POST" if body else "GET", path, body)
                return connection.getresponse().read().decode()

            for path, body in (("/", None), ("/", b"a body")):
                ask(path, body)
                ask("/collected")
                for _ in range(REQUESTS):
                    ask(path, body)
                assert set(ask("/collected").split()) <= OF_A_CONNECTION, path
    finally:
        server.stop()
        server.log.close()
