"""What gunicorn's settings say holds under the event loop as under gunicorn's own threads."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.child import free_port
from tests.serving.load import until
from tests.serving.worker_server import APP, Server, answer

GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
ATOMS = ["h", "l", "u", "r", "s", "m", "U", "q", "H", "b", "B", "f", "a", "{x-number}i", "{host}i", "{missing}i", "{content-type}o", "{missing}o"]
ATOMS += ["{request_method}e", "{wsgi.url_scheme}e", "{wsgi.multithread}e", "{query_string}e", "{missing}e"]
NUMBERS = {"T": r"\d+", "D": r"\d+", "M": r"\d+", "L": r"\d+\.\d{6}", "p": r"<\d+>", "t": r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"}
FORMAT = "atoms " + "\t".join(f"%({name})s" for name in [*ATOMS, *NUMBERS])
USER = "Authorization: Basic cm9tZW86c2VjcmV0\r\nUser-Agent: t\r\nReferer: http://y/\r\nX-Number: 7\r\nConnection: close\r\n\r\n"
REQUESTS = [
    f"GET /seen?a=b%20c HTTP/1.1\r\nHost: x\r\n{USER}",
    f"HEAD / HTTP/1.1\r\nHost: x\r\n{USER}",
    f"GET /no%C3%A4such HTTP/1.0\r\nHost: x\r\n{USER}",
    f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n{USER}abc",
    f"GET /generate HTTP/1.1\r\nHost: x\r\n{USER}",
    f"GET /variable HTTP/1.1\r\nHost: x\r\n{USER}",
]
HOOKS = """
def pre_request(worker, req):
    worker.log.info("hooked before %s %s %s %s %s %s", req.method, req.path, req.query, req.uri, req.version, req.scheme)
    if req.path == "/refused-by-the-hook":
        raise ValueError("planned")

def post_request(worker, req, environ, resp):
    worker.log.info("hooked after %s %s %s", req.uri, environ.get("PATH_INFO"), resp and (resp.status, resp.sent))
    if req.path == "/where":
        raise ValueError("planned")
"""


@contextlib.contextmanager
def serving(folder: Path, *options: str, first: bytes = b"") -> Iterator[Server]:
    server = Server(folder, *options, first=first)
    try:
        yield server
        assert server.stop() < 30
    finally:
        server.process.kill()
        server.process.wait()
        server.log.close()


def ask(address: str | tuple[str, int], request: str) -> str:
    """The body of the answer to a request after which the connection ends."""
    with socket.socket(socket.AF_UNIX) if isinstance(address, str) else socket.create_connection(address, 30) as sock:
        sock.settimeout(30)
        if isinstance(address, str):
            sock.connect(address)
        sock.sendall(request.encode())
        got = b""
        while data := sock.recv(65536):
            got += data
    return got.partition(b"\r\n\r\n")[2].decode()


def lines(folder: Path, begin: str, requests: list[str], worker: str, *options: str) -> list[str]:
    """What a server logs about these requests, one after the other, in lines that have `begin`."""
    folder.mkdir()
    with serving(folder, "-k", worker, *options) as server:
        until(lambda: begin in server.output(), "the line of the request by which the start was seen")
        seen = server.output().count(begin)
        for n, request in enumerate(requests, 1):
            ask(("127.0.0.1", server.port), request)
            until(lambda n=n: server.output().count(begin) >= seen + n, "its line")  # type: ignore[misc]
        return [line[line.index(begin) :] for line in server.output().splitlines() if begin in line][seen:]


OWN = "xmpp_rest.serving.worker.Worker"


def test_lines_of_the_access_log(tmp_path: Path) -> None:
    log = ("--access-logfile", "-", "--access-logformat", FORMAT)
    ours, theirs = (lines(tmp_path / worker, "atoms ", REQUESTS, worker, *log) for worker in (OWN, "gthread"))
    assert len(ours) == len(theirs) == len(REQUESTS)
    for our, their in zip(ours, theirs, strict=True):
        assert our.split("\t")[: len(ATOMS)] == their.split("\t")[: len(ATOMS)]
        for shape, value in zip(NUMBERS.values(), our.split("\t")[len(ATOMS) :], strict=True):
            assert re.fullmatch(shape, value), value


def test_pushed_answer_in_the_access_log(tmp_path: Path) -> None:
    pushed = "GET /pushed/ticks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert lines(tmp_path / "one", "line ", [pushed], OWN, "--access-logfile", "-", "--access-logformat", "line %(s)s %(B)s") == ["line 200 21"]


def test_hooks_of_requests(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks.py"
    hooks.write_text(HOOKS)
    requests = [*REQUESTS, *(f"GET {path} HTTP/1.1\r\nHost: x\r\n{USER}" for path in ("/refused-by-the-hook", "/where"))]
    ours, theirs = (lines(tmp_path / worker, "hooked after", requests, worker, "-c", str(hooks)) for worker in (OWN, "gthread"))
    refused = "hooked after /refused-by-the-hook None "
    assert theirs.pop(-2) == refused + "None"
    assert ours.pop(-2) == refused + "('500 Internal Server Error', 21)"
    assert ours == theirs
    before = [(tmp_path / worker / "log").read_text().split("hooked before ")[2:] for worker in (OWN, "gthread")]
    assert [text.splitlines()[0] for text in before[0]] == [text.splitlines()[0] for text in before[1]]
    assert (tmp_path / OWN / "log").read_text().count("Exception in post_request hook") == 1


def test_several_sockets_of_all_kinds(tmp_path: Path) -> None:
    path, port, port6 = str(tmp_path / "socket"), free_port(), free_port()
    with serving(tmp_path, "-b", f"unix:{path}", "-b", f"127.0.0.1:{port}", "-b", f"[::1]:{port6}") as server:
        request = "GET /where HTTP/1.1\r\nHost: named:81\r\nConnection: close\r\n\r\n"
        assert ask(path, request) == "|named|81"
        assert ask(("127.0.0.1", port), request) == f"127.0.0.1|127.0.0.1|{port}"
        assert ask(("127.0.0.1", server.port), request) == f"127.0.0.1|127.0.0.1|{server.port}"
        assert ask(("::1", port6), request) == f"::1|::1|{port6}"


def test_proxy_protocol(tmp_path: Path) -> None:
    with serving(tmp_path, "--proxy-protocol=v1", first=b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n") as server:
        assert server.get("/where").startswith("192.0.2.7|")


def test_environment_variables(tmp_path: Path) -> None:
    with serving(tmp_path, "--env", "OF_THE_TEST=a value") as server:
        assert server.get("/variable/OF_THE_TEST") == "a value"


def test_code_that_changed_is_loaded(tmp_path: Path) -> None:
    """gunicorn compares files with what they were when its thread first looked, which may be after the first answer: a change before that
    is none, so the file changes again for each look.
    """
    program, changed = tmp_path / "slowapp.py", tmp_path / "changed"
    changed.write_text(APP.replace('"blocked"', '"another program"'))
    with serving(tmp_path, "--reload", "--reload-engine", "poll") as server:
        assert server.get("/block/0") == "blocked"
        times = itertools.count(program.stat().st_mtime_ns + 10**9, 10**9)
        changed.replace(program)

        def is_loaded() -> bool:
            moment = next(times)
            os.utime(program, ns=(moment, moment))
            return server.get("/block/0") == "another program"

        until(is_loaded, "a new worker")
        assert "modified" in server.output()


def test_connections_that_are_kept_leave_room(tmp_path: Path) -> None:
    """With as many as there may be, answers say that the connection ends."""
    with serving(tmp_path, "--worker-connections", "3", "--keep-alive", "60") as server, contextlib.ExitStack() as stack:
        kept = []
        for _ in range(2):
            kept.append(sock := stack.enter_context(server.connect()))
            sock.sendall(GET.format("/").encode())
            assert b"Connection: keep-alive" in answer(sock, b"\r\n\r\n0")
        for _ in range(5):
            with server.connect() as sock:
                sock.sendall(GET.format("/").encode())
                assert b"Connection: close" in answer(sock, b"\r\n\r\n0")
        for sock in kept:
            sock.sendall(GET.format("/").encode())
            answer(sock, b"\r\n\r\n0")


def test_no_connection_is_kept_where_none_is_to_be(tmp_path: Path) -> None:
    with serving(tmp_path, "--keep-alive", "0") as server, server.connect() as sock:
        sock.sendall(GET.format("/").encode())
        assert b"Connection: close" in answer(sock, b"\r\n\r\n0")
        assert sock.recv(1) == b""


@pytest.mark.parametrize(
    ("option", "request_", "status"),
    [
        (("--limit-request-line", "100"), "GET /" + "x" * 100 + " HTTP/1.1\r\nHost: x\r\n\r\n", b" 414 "),
        (("--limit-request-fields", "3"), "GET / HTTP/1.1\r\nHost: x\r\na: b\r\nc: d\r\ne: f\r\n\r\n", b" 431 "),
        (("--limit-request-field_size", "50"), "GET / HTTP/1.1\r\nHost: x\r\na: " + "b" * 60 + "\r\n\r\n", b" 431 "),
    ],
)
def test_limits_of_heads(tmp_path: Path, option: tuple[str, str], request_: str, status: bytes) -> None:
    with serving(tmp_path, *option) as server, server.connect() as sock:
        sock.sendall(request_.encode())
        assert status in sock.recv(65536)
