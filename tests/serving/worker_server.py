"""gunicorn with our worker and a small application, for tests that talk to it through a socket."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

APP = """
import os
import signal
import socket
import threading
import time
from flask import Flask, Response, request
from xmpp_rest.serving import connection
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.tasks import offload, pause
connection.HEAD_SECONDS = connection.BODY_SECONDS = connection.WRITE_SECONDS = 1.0

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

@app.route("/pieces", methods=["POST"])
def pieces():
    pause(0.5)  # until as much has come as waits for the application
    total = sum(len(request.stream.read(65536)) for _ in range(4))
    pause(2.5)
    return str(total + len(request.stream.read()))

@app.route("/lines", methods=["POST"])
def lines():
    return "|".join(line.decode().strip() for line in request.environ["wsgi.input"])

@app.route("/seen", methods=["GET"])
def seen():
    return f"{request.scheme} {request.headers.get('X-Number', '-')}"

@app.route("/big")
def big():
    return b"x" * 50_000_000

@app.route("/patient")
def patient():
    # more than the kernel takes at once, and less than is waited for
    client = request.environ["xmpp_rest.client"]
    client._socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
    client.patience = 30
    return b"x" * 250_000

@app.route("/stream")
def stream():
    def ticks():
        while not ended:
            yield b"tick\\n"
            time.sleep(0.05)
        yield b"end\\n"
    return Response(ticks())

@app.route("/broken")
def broken():
    def pieces():
        yield b"[1"
        yield b",2"
        raise RuntimeError("the storage is gone")
    return Response(pieces())

@app.route("/compute/<int:seconds>")
def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "computed"

@app.route("/block/<int:seconds>")
def block(seconds):
    time.sleep(seconds)
    return "blocked"

holding = []

class Hold:
    def __init__(self):
        self.released = threading.Event()
        holding.append(self)
    def block(self):
        self.released.wait(60)
    def compute(self):
        end = time.monotonic() + 60
        while not self.released.is_set() and time.monotonic() < end:
            pass

@app.route("/hold/<how>")
def hold(how):
    getattr(Hold(), how)()
    return "released"

@app.route("/held")
def held():
    return str(len(holding))

@app.route("/release")
def release():
    while holding:
        holding.pop().released.set()
    return ""

@app.route("/pid")
def pid():
    return str(os.getpid())

@app.route("/where")
def where():
    return "|".join(request.environ[name] for name in ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT"))

@app.route("/variable/<name>")
def variable(name):
    return os.environ.get(name, "")

@app.route("/processor-time")
def processor_time():
    return str(time.process_time())

@app.route("/ppid")
def ppid():
    return str(os.getppid())

@app.route("/park/<int:seconds>")
def park(seconds):
    pause(seconds)
    return "parked"

@app.route("/wait/<int:seconds>")
def wait(seconds):
    return str(OneShot().wait(seconds, ClientConnection(request.environ).gone))

@app.route("/offload/<int:seconds>")
def offloaded(seconds):
    offload(lambda: time.sleep(seconds))
    return "offloaded"

@app.route("/generate")
def generate():
    def lines():
        for n in range(20):
            yield b"line %d\\n" % n
            pause(0.05)
    return Response(lines())

class Ticker:
    ticks = 3
    def begin(self, out):
        self.out = out
        threading.Thread(target=self.tick, daemon=True).start()
    def tick(self):
        for n in range(self.ticks):
            self.out.write(b"tick %d\\n" % n)
            time.sleep(0.05)
        self.out.close()
    def gone(self):
        left.append(1)

class Slow(Ticker):
    ticks = 20

class Flood(Ticker):
    def tick(self):
        while self.out.write(b"x" * 65536) or not left:
            pass

left = []

@app.route("/pushed/<kind>")
def pushed(kind):
    request.environ["xmpp_rest.push"]({"ticks": Ticker, "slow": Slow, "flood": Flood}[kind](), 1.0)
    return Response(iter(()), content_type="text/plain")

@app.route("/left")
def number_left():
    return str(len(left))

@app.route("/fail-in-the-loop", methods=["POST"])
def fail():
    # a call of the loop that fails in a way that nobody foresaw
    loop = request.environ["xmpp_rest.client"]._service.loop
    loop.call(lambda: {}["no such thing"])
    return "planned"

@app.route("/hang-the-loop", methods=["POST"])
def hang():
    request.environ["xmpp_rest.client"]._service.loop.call(lambda: time.sleep(60))
    return "planned"

@app.route("/hang-the-main-thread", methods=["POST"])
def hang_main():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2)
    return "planned"

if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGUSR2, lambda *_: time.sleep(60))

app.extensions["ending"] = (lambda: ended.append(True),)
"""
THREADS = 4


class Server:
    """gunicorn with our worker, one process of THREADS threads."""

    def __init__(self, folder: Path, *options: str, files: int | None = None, tls: ssl.SSLContext | None = None, first: bytes = b"", more: str = "") -> None:
        """`more`: of the application's code. `files`: descriptors that each process may have. `tls`: what clients connect with. `first`: what each connection begins with."""
        self.first = first
        self.tls = tls
        (folder / "slowapp.py").write_text(APP + more)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.log = (folder / "log").open("a")
        root = Path(__file__).parents[2]
        command = [
            str(Path(sys.executable).with_name("gunicorn")),
            "-k",
            "xmpp_rest.serving.worker.Worker",
            "--threads",
            str(THREADS),
            "--no-control-socket",
        ]
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
        self.process.kill()
        self.process.wait()
        text = self.output()
        self.log.close()
        raise AssertionError(text)

    def output(self) -> str:
        return Path(self.log.name).read_text()

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), 30)
        sock.sendall(self.first)
        return sock if self.tls is None else self.tls.wrap_socket(sock, suppress_ragged_eofs=False)

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
        self.process.wait(60)
        return time.monotonic() - started


def answer(sock: socket.socket, end: bytes) -> bytes:
    """What comes, up to `end`: head and body travel separately."""
    data = b""
    while not data.endswith(end):
        data += sock.recv(65536)
    return data
