"""gunicorn with our worker and a small application, for tests that talk to it through a socket."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

APP = """
import time
from flask import Flask, Response, request
from xmpp_rest.serving import body as request_body
from xmpp_rest.serving import worker
worker.HEAD_SECONDS = request_body.BODY_SECONDS = worker.IO_SECONDS = 1.0

app = Flask(__name__)
ended = []

@app.route("/", methods=["GET", "POST"])
def root():
    return str(len(request.get_data()))

@app.route("/refuse", methods=["POST"])
def refuse():
    return "no", 403

@app.route("/part/<int:size>", methods=["POST"])
def part(size):
    return request.stream.read(size)

@app.route("/slow", methods=["POST"])
def slow():
    time.sleep(2)
    return "done"

@app.route("/lines", methods=["POST"])
def lines():
    return "|".join(line.decode().strip() for line in request.environ["wsgi.input"])

@app.route("/seen", methods=["GET"])
def seen():
    return f"{request.scheme} {request.headers.get('X-Number', '-')}"

@app.route("/big")
def big():
    return b"x" * 50_000_000

@app.route("/stream")
def stream():
    def ticks():
        while not ended:
            yield b"tick\\n"
            time.sleep(0.05)
        yield b"end\\n"
    return Response(ticks())

@app.route("/reap/<kind>", methods=["POST"])
def reap(kind):
    # a deadline that fails in a way that nobody foresaw
    reaper = next(o for o in __import__("gc").get_objects() if type(o) is worker.Reaper)
    reaper.after(0, lambda: {}[kind])
    return "planned"

app.extensions["ending"] = (lambda: ended.append(True),)
"""
THREADS = 4


class Server:
    """gunicorn with our worker, one process of THREADS threads."""

    def __init__(self, folder: Path, *options: str, files: int | None = None) -> None:
        """`files`: descriptors that each process may have."""
        (folder / "slowapp.py").write_text(APP)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.log = (folder / "log").open("a")
        root = Path(__file__).parents[2]
        command = [sys.executable, "-m", "gunicorn", "-k", "xmpp_rest.serving.worker.Worker", "--threads", str(THREADS), "--no-control-socket"]
        command += ["-b", f"127.0.0.1:{self.port}", "--graceful-timeout", "10", "--pythonpath", f"{folder},{root}"]
        command += [*options, "slowapp:app"]
        if files is not None:
            command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=root)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                assert self.get() == "0"
                return
            time.sleep(0.05)
        raise AssertionError(self.output())

    def output(self) -> str:
        return Path(self.log.name).read_text()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 30)

    def get(self, path: str = "/") -> str:
        with self.connect() as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
        return answer.partition(b"\r\n\r\n")[2].decode()

    def stop(self) -> float:
        """Seconds that a graceful stop took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.monotonic() - started


def answer(sock: socket.socket, end: bytes) -> bytes:
    """What comes, up to `end`: head and body travel separately."""
    data = b""
    while not data.endswith(end):
        data += sock.recv(65536)
    return data
