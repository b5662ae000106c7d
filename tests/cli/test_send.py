"""`xmpp-rest send`, at the gateway of this machine and at one of another machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.cli.inside import Place, place, run
from tests.conftest import DOMAIN, PASSWORD, TOKEN
from tests.serving.certificate import make_certificate
from xmpp_rest.cli.access.http_client import HttpClient
from xmpp_rest.protocol.jid import parse_jid

ADMIN, JULIET, NURSE = (parse_jid(f"{name}@{DOMAIN}") for name in ("admin", "juliet", "nurse"))
Send = Callable[..., Ran]
ODD_URLS = ["", " ", "http://[::1", "http://a..b/", f"http://{300 * 'a'}/", "http://\udcff/", "http://x/ü", "http://x/a b", "http://x y/", "http://x/\r\nX: y"]
NOBODY = f"nobody@{DOMAIN}"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("send")) as found:
        for account in (JULIET, NURSE):
            found.gateway.parts.accounts.register(account, PASSWORD)
        yield found


@pytest.fixture(params=["local", "remote"])
def send(here: Place, request: pytest.FixtureRequest) -> Send:
    """`xmpp-rest send`; over HTTP with a token of the administrator's account."""
    token = here.token(ADMIN)

    def sent(*words: str, stdin: str | bytes = "") -> Ran:
        return here.run("send", *words, stdin=stdin) if request.param == "local" else here.away("send", *words, token=token, stdin=stdin)

    return sent


def test_several_recipients(here: Place, send: Send) -> None:
    assert send(f"{JULIET},{NURSE}", "Madam!") == (0, "", "")
    assert send("--to", str(JULIET), "--to", str(NURSE), "--subject", "News", "-", stdin="two\nlines\n") == (0, "", "")
    assert send("--wait", "5", str(JULIET), "--type", "normal", "between options") == (0, "", "")
    assert here.bodies(JULIET)[-3:] == ["Madam!", "two\nlines", "between options"]
    assert here.bodies(NURSE)[-2:] == ["Madam!", "two\nlines"]


def test_a_refusal_is_told_and_outranks(send: Send) -> None:
    ran = send(f"{JULIET},{NOBODY}", "x")
    assert (ran.code, ran.out, ran.err) == (1, "", f"xmpp-rest send: {NOBODY}: service-unavailable\n")


@pytest.mark.parametrize(
    ("words", "stdin", "code", "says"),
    [
        (["nobody@@", "x"], b"", 64, "is not an address"),
        (["--to", "nobody@@", "x"], b"", 64, "is not an address"),
        (["admin", "x"], b"", 64, "is not an address; did you mean admin@"),
        ([], b"", 64, "to whom?"),
        ([str(JULIET), "x", "y"], b"", 64, "one word too many"),
        (["--to", str(JULIET), "x", "y"], b"", 64, "one word too many"),
        ([str(JULIET), "x", "--wait", "-1"], b"", 64, "a number of seconds"),
        ([str(JULIET), "x", "--tpye", "chat"], b"", 64, "--type"),
        (["--json", str(JULIET)], b"", 64, "names its recipient"),
        ([str(JULIET), ""], b"", 64, "write a text"),
        ([str(JULIET)], b"\n", 64, "write a text"),
        ([str(JULIET)], b"\xff", 65, "not UTF-8"),
        ([str(JULIET), "\x07"], b"", 65, "cannot be sent"),
    ],
)  # fmt: skip
def test_wrong_words(send: Send, words: list[str], stdin: bytes, code: int, says: str) -> None:
    ran = send(*words, stdin=stdin)
    assert (ran.code, ran.out) == (code, ""), ran
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_a_batch(here: Place, send: Send) -> None:
    objects = [
        {"to": str(JULIET), "body": "first", "id": "b1"},
        {"to": NOBODY, "body": "?", "id": "b2"},
        {"kind": "iq", "type": "get", "to": DOMAIN, "ping": True, "id": "b3"},
        {"to": "@", "body": "x", "id": "b4"},
    ]
    lines = [json.dumps(obj) for obj in objects]
    ran = send("--json", stdin="\n".join([lines[0], "", *lines[1:], "no JSON"]))
    results = [json.loads(line) for line in ran.out.splitlines()]
    assert [(r["line"], r.get("to"), r.get("id"), r["outcome"]) for r in results] == [
        (1, str(JULIET), "b1", "confirmed"), (3, NOBODY, "b2", "refused"), (4, DOMAIN, "b3", "answered"), (5, "@", "b4", "error"),
        (6, None, None, "error"),
    ]  # fmt: skip
    assert results[1]["error"]["condition"] == "service-unavailable"
    assert "error" not in results[0]
    assert (ran.code, ran.err) == (1, "")
    assert here.bodies(JULIET)[-1] == "first"
    assert send("--json", "-", stdin=lines[0]).code == 0
    assert send("--json", stdin="no JSON").code == 65
    assert send("--json", stdin="") == (0, "", "")


def test_a_batch_of_many(here: Place, send: Send) -> None:
    before = len(here.bodies(NURSE))
    ran = send("--json", "--quiet", stdin="".join(json.dumps({"to": str(NURSE), "body": str(n)}) + "\n" for n in range(12)))
    assert (ran.code, ran.err, len(ran.out.splitlines())) == (0, "", 12)
    assert here.bodies(NURSE)[before:] == [str(n) for n in range(12)]


def test_the_sender(here: Place) -> None:
    assert here.run("send", str(NURSE), "by juliet", "--from", str(JULIET)).code == 0
    page = here.run("listen", "--account", str(NURSE), "--timeout", "0")
    assert page.code == 0
    foreign = here.run("send", str(NURSE), "x", "--from", "romeo@montague.example")
    assert foreign.code == 64
    other = here.away("send", str(NURSE), "x", "--from", str(NURSE), token=here.token(JULIET))
    assert other.code == 77
    assert here.away("send", str(NURSE), "x", "--from", str(JULIET), token=TOKEN.split()[1]).code == 0  # the component may be anybody


def test_a_token_that_may_only_send(here: Place) -> None:
    token = here.token(JULIET, "send:nurse@*")
    assert here.away("send", str(NURSE), "alarm", token=token) == (0, "", "")
    assert here.away("send", str(ADMIN), "alarm", token=token).code == 77


def test_nobody_is_let_in_without_a_token(here: Place, tmp_path: Path) -> None:
    for token in ("", "wrong"):
        ran = here.away("send", str(NURSE), "x", token=token)
        assert (ran.code, "not-authorized" in ran.err) == (77, True), ran
    file = tmp_path / "token"
    file.write_text(here.token(JULIET) + "\n")
    assert run("send", str(NURSE), "x", "--url", here.url, "--token-file", str(file)).code == 0
    assert run("send", str(NURSE), "x", XMPP_REST_URL=here.url + "/", XMPP_REST_TOKEN_FILE=str(file)).code == 0
    assert run("send", str(NURSE), "x", "--url", here.url, "--token-file", str(tmp_path / "none")).code == 66
    file.write_text("two words")
    assert run("send", str(NURSE), "x", "--url", here.url, "--token-file", str(file)).code == 65


def test_no_configuration_is_read_for_a_gateway_elsewhere(here: Place, tmp_path: Path) -> None:
    broken = tmp_path / "wsgi.ini"
    broken.write_text("broken")
    assert run("send", str(NURSE), "x", "--url", here.url, XMPP_REST_CONFIG=str(broken), XMPP_REST_TOKEN=here.token(JULIET)).code == 0
    assert run("send", str(NURSE), "x", XMPP_REST_CONFIG=str(broken)).code == 78
    told = run("send", str(NURSE), "x", "-v", "--url", here.url, XMPP_REST_TOKEN=here.token(JULIET))
    assert told.err == f"xmpp-rest: gateway: {here.url}; no configuration is read\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1/x"])
def test_a_gateway_that_cannot_be_reached(url: str) -> None:
    ran = run("send", str(NURSE), "x", "--url", url)
    assert (ran.code, url in ran.err) == (69, True)


@pytest.mark.parametrize("url", ["gw.example.net", "ftp://x", "http://", "http://x:y", "http://u:p@x", "http://x/?a", *ODD_URLS])
def test_what_is_no_url(url: str) -> None:
    ran = run("send", str(NURSE), "x", "--url", url)
    assert (ran.code, ran.err.count("\n")) == (64, 1), ran
    assert "write one such as https://gw.example.net" in ran.err
    assert ":p@" not in ran.err


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """What answers one request with these bytes, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://x/\x1b[31m\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"outcome":7}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 \x1b[31m\r\nContent-Length: 0\r\n\r\n",
        b"\x1b[31m \xff garbage\r\n",
        b"",
    ],
)
def test_answers_of_something_else(answer: bytes) -> None:
    """One line that controls no terminal, and nothing counts as sent."""
    with server(answer) as url:
        ran = run("send", "--json", "--url", url, stdin=f'{{"to": "{NURSE}", "kind": "iq"}}')
    assert (ran.code, ran.out) == (69, "")
    assert ran.err.removesuffix("\n").isprintable(), ran.err


def test_letters_that_standard_output_has_not(here: Place) -> None:
    environ = {**os.environ, "XMPP_REST_CONFIG": str(here.config), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "xmpp_rest", "send", "--json"]
    ran = subprocess.run(command, env=environ, input='{"to": "grüße"}\n'.encode(), capture_output=True, timeout=60, check=False)
    assert json.loads(ran.stdout)["to"] == "grüße"


def test_a_url_of_something_else(here: Place) -> None:
    ran = run("send", str(NURSE), "x", "--url", f"{here.url}/elsewhere", XMPP_REST_TOKEN="x")
    assert (ran.code, "is this the URL of a gateway?" in ran.err) == (69, True), ran


def test_the_configuration_that_is_named_outranks_the_environment(here: Place) -> None:
    assert run("--config", str(here.config), "send", str(NURSE), "x", XMPP_REST_URL="http://127.0.0.1:1").code == 0


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A gateway whose server does not run, with an outbox for three."""
    with place(tmp_path_factory.mktemp("cut"), "[link]\nkind = component\nsecret = x\nport = 1\noutbox_size = 3\n") as found:
        found.gateway.parts.accounts.register(JULIET, PASSWORD)
        yield found


def test_what_is_kept_but_not_confirmed(cut_off: Place) -> None:
    token = cut_off.token(JULIET)
    far = "romeo@montague.example"
    for ran in (cut_off.run("send", far, "x", "--wait", "0.1"), cut_off.away("send", far, "x", "--wait", "0.1", token=token)):
        assert (ran.code, "it is kept" in ran.err) == (75, True), ran
    assert cut_off.run("send", f"{far},{JULIET}", "x", "--wait", "0").code == 75
    ran = cut_off.run("send", f"{NOBODY},{JULIET}", "x", "--wait", "0")
    assert ran.code == 1
    full = cut_off.run("send", far, "x", "--wait", "0")
    assert (full.code, "resource-constraint" in full.err) == (69, True), full
    assert cut_off.away("send", far, "x", "--wait", "0", token=token).code == 69


def test_the_certificate_is_verified(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with place(tmp_path, certificate=certificate) as secure:
        token = secure.token(ADMIN)
        for words in ("send", str(ADMIN), "x"), ("listen", "--timeout", "0.2"), ("status",):
            foreign = run(*words, XMPP_REST_URL=secure.url, XMPP_REST_TOKEN=token)
            assert (foreign.code, "self-signed certificate" in foreign.err) == (69, True), foreign
        assert run("send", str(ADMIN), "x", XMPP_REST_URL=secure.url, XMPP_REST_TOKEN=token, SSL_CERT_FILE=certificate.cert) == (0, "", "")
        name = secure.url.replace("127.0.0.1", "localhost")  # which is not in it
        assert run("send", str(ADMIN), "x", XMPP_REST_URL=name, XMPP_REST_TOKEN=token, SSL_CERT_FILE=certificate.cert).code == 69


def test_a_token_is_not_sent_openly_without_a_remark() -> None:
    assert HttpClient("http://gw.example.net", "t").is_open_to_others
    assert not HttpClient("https://gw.example.net", "t").is_open_to_others
    assert not HttpClient("http://127.0.0.1:8080", "t").is_open_to_others
