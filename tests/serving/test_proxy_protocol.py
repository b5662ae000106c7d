"""A header of the PROXY protocol, before the first request of a connection."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import proxy_environ

from tests.serving.wire_vectors import GET
from xmpp_rest.serving.environ import make_environ
from xmpp_rest.serving.head_parser import HeadParser
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.reading import RequestReader
from xmpp_rest.serving.request import BadRequest

PEER, SERVER = ("127.0.0.1", 4711), ("192.0.2.1", 80)
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def second_version(command: int, family: int, data: bytes) -> bytes:
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family, len(data)) + data


IPV4 = socket.inet_aton("192.0.2.9") + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 1234, 80)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9") * 2 + struct.pack(">HH", 1234, 80)
HEADERS = {
    "1, IPv4": b"PROXY TCP4 192.0.2.9 192.0.2.1 1234 80\r\n",
    "1, IPv6": b"PROXY TCP6 2001:db8::9 2001:db8::1 1234 80\r\n",
    "2, IPv4": second_version(1, 0x11, IPV4),
    "2, IPv6, with more": second_version(1, 0x21, IPV6 + b"more"),
}
NAMELESS = {"2, LOCAL": second_version(0, 0, b""), "2, UNSPEC": second_version(1, 0x01, b"")}
WRONG = {
    "protocol": b"PROXY UDP4 192.0.2.9 192.0.2.1 1234 80\r\n",
    "address": b"PROXY TCP4 192.0.2.900 192.0.2.1 1234 80\r\n",
    "port": b"PROXY TCP4 192.0.2.9 192.0.2.1 123456 80\r\n",
    "parts": b"PROXY TCP4\r\n",
    "no end": b"PROXY " + b"x" * 200,
    "version": SIGNATURE + b"\x31\x11\0\0",
    "short": second_version(1, 0x11, b"abc"),
    "datagrams": second_version(1, 0x12, IPV4),
}


def settings(mode: str = "auto") -> Config:
    cfg = Config()
    cfg.set("proxy_protocol", mode)
    return cfg


def environs(cfg: Config, pieces: list[bytes], peer: Any = PEER) -> list[dict[str, Any]]:
    limits = Limits.of(cfg)
    reader = RequestReader(limits, HeadParser(cfg, limits), peer, lambda: None)
    for piece in pieces:
        reader.feed(piece)
    base: dict[str, Any] = {}
    return [make_environ(request, peer, SERVER, cfg, base) for request in reader.requests]


@pytest.mark.parametrize("name", HEADERS)
def test_it_says_who_the_client_is(name: str) -> None:
    cfg = settings()
    data = HEADERS[name] + GET
    expected = proxy_environ(next(RequestParser(cfg, [data], PEER)))
    assert expected["REMOTE_PORT"] == "1234"
    for at in range(1, len(data) - 1):
        (environ,) = environs(cfg, [data[:at], data[at:]])
        assert {variable: environ[variable] for variable in expected} == expected
    (environ,) = environs(cfg, [data[at : at + 1] for at in range(len(data))])
    assert environ["REMOTE_ADDR"] == expected["REMOTE_ADDR"]


def test_a_part_of_it_is_a_head_that_has_begun() -> None:
    cfg = settings()
    reader = RequestReader(Limits.of(cfg), HeadParser(cfg, Limits.of(cfg)), PEER, lambda: None)
    for data, begun in ((b"", False), (HEADERS["1, IPv4"][:9], True), (HEADERS["1, IPv4"][9:], False), (GET[:9], True)):
        reader.feed(data)
        assert reader.head_begun == begun


def test_it_holds_for_all_requests_of_the_connection() -> None:
    for environ in environs(settings(), [HEADERS["1, IPv4"] + GET + GET]):
        assert environ["REMOTE_ADDR"] == "192.0.2.9"


@pytest.mark.parametrize("name", NAMELESS)
def test_a_header_that_names_no_client(name: str) -> None:
    (environ,) = environs(settings(), [NAMELESS[name] + GET])
    assert environ["PROXY_PROTOCOL"] == name[3:]
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("127.0.0.1", "4711")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_header(name: str) -> None:
    with pytest.raises(BadRequest) as refused:
        environs(settings(), [WRONG[name] + GET])
    assert refused.value.status == 400


def test_who_may_send_it() -> None:
    with pytest.raises(BadRequest) as refused:
        environs(settings(), [HEADERS["1, IPv4"] + GET], ("192.0.2.7", 4711))
    assert refused.value.status == 403


def test_a_connection_without_it() -> None:
    (environ,) = environs(settings(), [GET])
    assert environ["REMOTE_ADDR"] == PEER[0]


def test_it_is_no_request_where_the_setting_does_not_say_so() -> None:
    for mode, header in (("off", "1, IPv4"), ("v2", "1, IPv4"), ("v1", "2, IPv4")):
        with pytest.raises(BadRequest):
            environs(settings(mode), [HEADERS[header] + GET])
