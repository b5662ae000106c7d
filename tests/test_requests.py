"""The server, started as users start it, follows RFC 9112, and trusts proxies only where configured."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.live.child import LOOPBACK
from tests.live.gateway import PASSWORD, Gateway
from tests.live.xmppserver import GATEWAY

ADMIN = "Authorization: Basic " + base64.b64encode(f"admin@{GATEWAY}:{PASSWORD}".encode()).decode()
Make = Callable[..., Gateway]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Gateways by their [server] settings, one for each."""
    made: dict[str, Gateway] = {}

    def start(**server: object) -> Gateway:
        key = repr(server)
        if key not in made:
            folder: Path = tmp_path_factory.mktemp("gateway")
            made[key] = Gateway(folder, 1, {"server": {"workers": 1, "threads": 8} | server, "link": {"kind": "none"}})
            made[key].start()
        return made[key]

    yield start
    for gateway in made.values():
        gateway.stop()


class Answer:
    """What came of one request, and whether the connection ended after it."""

    def __init__(self, gateway: Gateway, head: str, body: str = "", source: str = LOOPBACK) -> None:
        method = head.partition(" ")[0]
        with socket.create_connection((LOOPBACK, gateway.port), timeout=10, source_address=(source, 0)) as connection:
            connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body.encode())
            response = HTTPResponse(connection, method=method)
            response.begin()
            self.status, self.headers, self.body = response.status, response.headers, response.read()
            connection.settimeout(0.5)
            try:
                self.closed = connection.recv(1) == b""
            except TimeoutError:
                self.closed = False


HOSTS = {
    "none": ("", 400),
    "empty": ("\nHost:", 400),
    "two": ("\nHost: a\nHost: a", 400),
    "joined": ("\nHost: a,a", 400),
    "blank inside": ("\nHost: a b", 400),
    "user": ("\nHost: admin@a", 400),
    "scheme": ("\nHost: http://a", 400),
    "path": ("\nHost: a/b", 400),
    "port": ("\nHost: a:b", 400),
    "large port": ("\nHost: a:65536", 400),
    "half an escape": ("\nHost: a%2", 400),
    "control": ("\nHost: a\x01b", 400),
    "not ASCII": ("\nHost: \xfcber", 400),
    "no IPv6": ("\nHost: [::1", 400),
    "bad IPv6": ("\nHost: [::x]", 400),
    "name": ("\nHost: a", 200),
    "blanks around": ("\nHost:  a.example \t", 200),
    "root": ("\nHost: a.example.:443", 200),
    "underscore": ("\nhost: my_service-1:8080", 200),
    "no port": ("\nHost: a:", 200),
    "IPv4": ("\nHost: 127.0.0.1:80", 200),
    "IPv6": ("\nHost: [::1]:8080", 200),
    "escape": ("\nHost: %61", 200),
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("name", HOSTS)
def test_the_host(make: Make, name: str, version: str) -> None:
    fields, status = HOSTS[name]
    if version == "1.0" and name == "none":
        status = 200
    assert Answer(make(), f"GET /health HTTP/{version}{fields}").status == status


@pytest.mark.parametrize("path", ["/rest/ping/x", "/api/messages", "/api/status", "/data/x", "/nowhere"])
def test_the_host_comes_before_all_else(make: Make, path: str) -> None:
    assert Answer(make(), f"GET {path} HTTP/1.1\n{ADMIN}").status == 400
    assert Answer(make(), f"GET {path} HTTP/1.1\n{ADMIN}\nHost: a").status in (200, 400, 404, 500)


@pytest.mark.parametrize(
    ("version", "field", "closed"),
    [
        ("1.1", "", False),
        ("1.1", "\nConnection: close", True),
        ("1.1", "\nConnection: foo, close", True),
        ("1.1", "\nConnection: foo ,\tCLOSE , bar", True),
        ("1.1", "\nConnection: foo\nConnection: Close", True),
        ("1.1", "\nConnection: keep-alive, close", True),
        ("1.1", "\nConnection: closed", False),
        ("1.1", "\nConnection: not-close, upgrade", False),
        ("1.0", "", True),
        ("1.0", "\nConnection: keep-alive", False),
        ("1.0", "\nConnection: foo, Keep-Alive", False),
        ("1.0", "\nConnection: foo", True),
    ],
)
def test_the_options_of_a_connection(make: Make, version: str, field: str, closed: bool) -> None:
    answer = Answer(make(), f"GET /health HTTP/{version}\nHost: a{field}")
    assert answer.status == 200
    assert answer.closed == closed
    assert (answer.headers["Connection"] == "close") == closed


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 5\nContent-Length: 6",
        *("Content-Length: 5\nContent-Length: 5", "Content-Length: 5, 5", "Content-Length: +5", "Content-Length: -5"),
        "Content-Length: 0x5",
        "Content-Length:",
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nContent-Length: 5",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: \x0bchunked",
    ],
)
def test_a_length_that_can_be_read_in_two_ways(make: Make, fields: str) -> None:
    answer = Answer(make(), f"POST /rest HTTP/1.1\nHost: a\n{ADMIN}\nContent-Type: application/json\n{fields}", "{}123")
    assert answer.status in (400, 501)
    assert answer.closed


READS = ["/health", "/status", f"/rest/ping/{GATEWAY}", "/rest/outcome/x", "/rest/callbacks", "/api/messages", "/api/rooms", "/api/contacts"]
READS += ["/api/sse", "/rest/stream", "/data/settings", f"/data/{GATEWAY}/admin/", "/api-docs/openapi.json", "/rest", "/data", "/nowhere"]


@pytest.mark.parametrize("path", READS)
def test_head_is_get_without_a_body(make: Make, path: str) -> None:
    head = Answer(make(), f"HEAD {path} HTTP/1.1\nHost: a\n{ADMIN}")
    assert head.body == b""
    assert not head.closed
    if path in ("/api/sse", "/rest/stream"):
        assert (head.status, head.headers["Content-Type"].partition(";")[0]) == (200, "text/event-stream")
        assert make().status()["waits"]["count"] == 0
        return
    get = Answer(make(), f"GET {path} HTTP/1.1\nHost: a\n{ADMIN}")
    assert (head.status, head.headers["Content-Type"]) == (get.status, get.headers["Content-Type"])


def test_head_never_runs_a_command(make: Make) -> None:
    """COMPAT ejabberd: it is refused, as its own answer is on record."""
    gateway = make()
    gateway.register("mercutio")
    answer = Answer(gateway, f"HEAD /api/unregister?user=mercutio&host={GATEWAY} HTTP/1.1\nHost: a\n{ADMIN}")
    assert (answer.status, answer.body) == (400, b"")
    assert gateway.post_json({"user": "mercutio", "host": GATEWAY}, "admin", "/api/check_account").json() == 0


@pytest.mark.parametrize("path", [p for p in READS if p not in ("/nowhere", "/rest")])
@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "LOCK"])
def test_a_method_of_others(make: Make, path: str, method: str) -> None:
    answer = Answer(make(), f"{method} {path} HTTP/1.1\nHost: a\n{ADMIN}")
    assert answer.status in (405, 501)
    if answer.status == 405:
        assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", [*(p for p in READS if p != "/nowhere"), "/api/status", "/api/status/v2", "/oauth/token", "/rest/echo"])
def test_options_for_everything(make: Make, path: str) -> None:
    answer = Answer(make(), f"OPTIONS {path} HTTP/1.1\nHost: a")
    assert answer.status in (200, 204) or path == "/status"  # that is for administrators alone


def test_options_of_the_server(make: Make) -> None:
    assert Answer(make(), "OPTIONS * HTTP/1.1\nHost: a").status in (200, 204)
    assert Answer(make(), "OPTIONS /nowhere HTTP/1.1\nHost: a").status == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/stats?name=registeredusers", 200),
        ("/api/stats/v1?name=registeredusers", 200),
        ("/api//stats/?name=registeredusers", 200),
        ("/api/%73tats?name=registeredusers", 200),
        ("http://x/api/stats/v1?name=registeredusers", 200),
        ("/api/stats%2Fv1?name=registeredusers", 404),
        ("/api/stats%2fv1?name=registeredusers", 404),
        ("/api/%2Fstats?name=registeredusers", 404),
        ("/api/stats%2F?name=registeredusers", 404),
        ("/api%2Fstats?name=registeredusers", 400),
        ("/api/stats/v0%2Fv1?name=registeredusers", 200),
        ("//api/stats?name=registeredusers", 200),
        ("//api/stats%2Fv1?name=registeredusers", 404),
    ],
)
def test_a_slash_that_is_none(make: Make, path: str, status: int) -> None:
    assert Answer(make(), f"GET {path} HTTP/1.1\nHost: a\n{ADMIN}").status == status


def test_echo_takes_members_that_it_does_not_know(make: Make) -> None:
    assert make().post_json({"text": "Disk full", "to": f"admin@{GATEWAY}"}, path="/rest/echo").status == 200


# -- proxies

FORWARDED = "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: public.example"


def client_and_place(gateway: Gateway, fields: str, source: str = LOOPBACK) -> tuple[str, str]:
    """By which address a client is known, and the URL of what it makes."""
    made = Answer(gateway, f"POST /data/{GATEWAY}/admin/things HTTP/1.1\nHost: a\n{ADMIN}\n{fields}\nContent-Type: application/json\nContent-Length: 2", "[]", source)
    assert made.status in (200, 201, 204), made.body
    Answer(gateway, f"GET /api/status HTTP/1.1\nHost: a\n{ADMIN}\n{fields}", source=source)
    line = [line for line in gateway.output.read_text().splitlines() if "command=status" in line][-1]
    return line.split(" address=")[1].split()[0], str(made.headers["Location"])


def test_without_proxies_no_forwarded_field_is_believed(make: Make) -> None:
    client, place = client_and_place(make(), FORWARDED)
    assert client == LOOPBACK
    assert place.startswith(("http://a/", "/"))
    for field in ("X-Forwarded-Proto: https", "X-Forwarded-Protocol: ssl", "X-Forwarded-Ssl: on"):
        assert not client_and_place(make(), field)[1].startswith("https")


def test_forwarded_fields_of_a_proxy_are_believed(make: Make) -> None:
    client, place = client_and_place(make(proxies=1), FORWARDED)
    assert client == "203.0.113.9"
    assert place.startswith("https://public.example/")
    client, _ = client_and_place(make(proxies=1), "X-Forwarded-For: 198.51.100.1, 203.0.113.9")
    assert client == "203.0.113.9"


def test_forwarded_fields_of_others_are_not_believed(make: Make) -> None:
    gateway = make(proxies=1, proxy_networks="127.0.0.2, 192.0.2.0/24")
    client, place = client_and_place(gateway, FORWARDED)
    assert client == LOOPBACK
    assert not place.startswith("https")
    assert gateway.output.read_text().count("proxy_networks") == 1
    assert client_and_place(gateway, FORWARDED, "127.0.0.2")[0] == "203.0.113.9"


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize("name", ["SCRIPT_NAME", "Script_Name", "Script-Name", "PATH_INFO", "REMOTE_USER", "X_Forwarded_For"])
def test_no_field_says_where_the_application_is(make: Make, proxies: int, name: str) -> None:
    gateway = make(proxies=proxies) if proxies else make()
    assert Answer(gateway, f"GET /public/api/status HTTP/1.1\nHost: a\n{ADMIN}\n{name}: /public").status == 404
    assert client_and_place(gateway, f"{name}: /public")[0] == LOOPBACK
