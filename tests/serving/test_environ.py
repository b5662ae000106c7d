"""The environ of a request has gunicorn's variables."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ConfigurationProblem, NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create

from tests.serving.wire_vectors import GET, REFUSED, SERVED, STRICTER, head
from xmpp_rest.serving.environ import make_environ
from xmpp_rest.serving.head_parser import HeadParser, Parsed
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.llhttp import LlhttpHeadParser
from xmpp_rest.serving.reading import RequestReader
from xmpp_rest.serving.request import BadRequest

FORWARDED = [
    head("X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.9"),
    head("X-Forwarded-Proto: http", "X-Forwarded-Ssl: off"),
    head("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"),
    head("X_Forwarded_For: 192.0.2.9", "X-Forwarded-For: 192.0.2.1"),
    head("SCRIPT_NAME: /a", line="GET /a/b HTTP/1.1"),
    head("SCRIPT_NAME: /a", line="GET /b HTTP/1.1"),
    head("Script-Name: /a", line="GET /a/b HTTP/1.1"),
    head("SCRIPT_NAME: /b", "SCRIPT_NAME: /a", line="GET /a/b HTTP/1.1"),
    head("CONTENT_LENGTH: 3", "Content-Length: 0"),
]
PATHS = [
    head(line=f"GET {target} HTTP/1.1")
    for target in ("/%C3%A4%2F%00?a=%20", "/a;b=c?d?e", "//a//b", "/?", "/%zz", "/a:b", "/a#b?c", "http://x", "http://x?a", "a://b@c/d")
]
STREAMS = [*SERVED.values(), *(data for name, data in REFUSED.items() if name not in STRICTER), *FORWARDED, *PATHS, GET.replace(b": x", b": x:80"), b"GET /a HTTP/1.0\r\n\r\n"]
SETTINGS: dict[str, dict[str, Any]] = {
    "as they are": {},
    "ours": {"forwarded_allow_ips": "", "secure_scheme_headers": {}, "forwarder_headers": "", "workers": 2},
    "refuse": {"header_map": "refuse"},
    "dangerous": {"header_map": "dangerous"},
    "all forwarders": {"forwarded_allow_ips": "*", "forwarder_headers": "*"},
}
PLACES: dict[str, tuple[Any, Any]] = {  # the client's address, and the server's
    "TCP": (("127.0.0.1", 4711), ("192.0.2.1", 8080)),
    "IPv6": (("2001:db8::1", 4711, 0, 0), ("::", 8080, 0, 0)),
    "Unix socket": ("", "/run/socket"),
}
OWN = {"xmpp_rest.told", "wsgi.input", "wsgi.errors", "wsgi.early_hints", "wsgi.multithread", "gunicorn.socket"}


class Connection(RequestParser):  # type: ignore[misc]
    mesg_class = Parsed


class Sink:
    def send(self, data: bytes) -> int:
        return len(data)


def comparable(environ: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in environ.items() if name not in OWN}


def by_gunicorn(data: bytes, cfg: Config, client: Any, server: Any) -> list[Any]:
    found: list[Any] = []
    try:
        for request in Connection(cfg, [data], client):
            _, environ = create(request, Sink(), client, server, cfg)
            found.append(comparable(environ))
    except ConfigurationProblem:
        found.append(500)
    except (ParseException, NoMoreData):
        pass
    return found


def by_us(data: bytes, parser: HeadParser, client: Any, server: Any) -> list[Any]:
    reader = RequestReader(parser.limits, parser, client, lambda: None)
    with contextlib.suppress(BadRequest):
        reader.feed(data)
    found: list[Any] = []
    base: dict[str, Any] = {"gunicorn.socket": "socket"}
    while reader.requests:
        request = reader.requests.popleft()
        with contextlib.suppress(BadRequest):
            reader.feed(b"")
        try:
            environ = make_environ(request, client, server, parser.cfg, base)
        except BadRequest as e:
            found.append(e.status)
            break
        assert environ["wsgi.input"] is request.body
        assert environ["gunicorn.socket"] == "socket"
        assert environ["wsgi.multithread"] is True
        found.append(comparable(environ))
    return found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("parser", [HeadParser, LlhttpHeadParser])
def test_variables_as_gunicorn_gives_them(parser: type[HeadParser], setting: str, place: str) -> None:
    cfg = Config()
    for name, value in ({"limit_request_line": 8190} | SETTINGS[setting]).items():
        cfg.set(name, value)
    ours = parser(cfg, Limits.of(cfg))
    for data in STREAMS:
        if place == "Unix socket" and b"[::1]" in data:  # gunicorn would call the server "["
            continue
        expected = by_gunicorn(data, cfg, *PLACES[place])
        assert by_us(data, ours, *PLACES[place])[: len(expected)] == expected, data


def test_script_name_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/a")
    cfg = Config()
    parser = HeadParser(cfg, Limits.of(cfg))
    client, server = PLACES["TCP"]
    (environ,) = by_us(head(line="GET /a/b HTTP/1.1"), parser, client, server)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/a", "/b")
    assert by_us(head(line="GET /b HTTP/1.1"), parser, client, server) == [500]


def test_server_name_at_a_unix_socket_is_an_ipv6_address() -> None:
    cfg = Config()
    parser = HeadParser(cfg, Limits.of(cfg))
    for host, named in (("[::1]:80", ("[::1]", "80")), ("[::1]", ("[::1]", "80")), ("x:1", ("x", "1"))):
        (environ,) = by_us(GET.replace(b"Host: x", b"Host: " + host.encode()), parser, *PLACES["Unix socket"])
        assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == named


def test_forwarding_fields_of_a_trusted_peer() -> None:
    """The comparison above would also hold where gunicorn believed everybody, or nobody."""
    cfg = Config()
    for parser in (HeadParser(cfg, Limits.of(cfg)), LlhttpHeadParser(cfg, Limits.of(cfg))):
        for peer, scheme in ((("127.0.0.1", 4711), "https"), (("192.0.2.7", 4711), "http"), ("", "https")):
            for environ in by_us(FORWARDED[0] * 3, parser, peer, PLACES["TCP"][1]):
                assert environ["wsgi.url_scheme"] == scheme
