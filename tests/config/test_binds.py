"""The addresses to listen on: every form, and what is said of any other."""

from __future__ import annotations

import pytest

from xmpp_rest.config.binds import Bind, parse

READ = {
    "127.0.0.1:8080": [Bind("127.0.0.1", 8080)],
    "[::1]:80": [Bind("::1", 80)],
    "[0:0::1]:80": [Bind("::1", 80)],
    ":8080": [Bind("127.0.0.1", 8080)],
    "8080": [Bind("127.0.0.1", 8080)],
    "0": [Bind("127.0.0.1", 0)],
    "gateway.example.net:65535": [Bind("gateway.example.net", 65535)],
    "unix:/run/x/http.sock": [Bind(path="/run/x/http.sock")],
    "unix:http.sock": [Bind(path="http.sock")],
    "0.0.0.0:80,[::]:80 , unix:a , 81,": [Bind("0.0.0.0", 80), Bind("::", 80), Bind(path="a"), Bind("127.0.0.1", 81)],
    "127.0.0.1:0, 127.0.0.1:0": [Bind("127.0.0.1", 0), Bind("127.0.0.1", 0)],
    "0.0.0.0:80, 127.0.0.1:81": [Bind("0.0.0.0", 80), Bind("127.0.0.1", 81)],
}
REFUSED = {
    "": "there is no address",
    " , ": "there is no address",
    "nonsense": "HOST:PORT",
    "127.0.0.1": "HOST:PORT",
    "127.0.0.1:": "HOST:PORT",
    "127.0.0.1:http": "HOST:PORT",
    "127.0.0.1:65536": "at most 65535",
    "127.0.0.1:080000": "at most 65535",
    "127.0.0.1:-1": "HOST:PORT",
    "99999": "at most 65535",
    "::1": "stands in brackets",
    "::1:80": "stands in brackets",
    "[::1]": "HOST:PORT",
    "[127.0.0.1]:80": "no IPv6 address",
    "[::1:80": "HOST:PORT",
    "http://127.0.0.1:80": "HOST:PORT",
    "*:80": "write 0.0.0.0:80",
    "unix:": "path of a file",
    "unix:/run/": "path of a file",
    "unix:a b": "path of a file",
    "127.0.0.1:80 127.0.0.1:81": "HOST:PORT",
    "80, 127.0.0.1:80": "write one of them",
    "0.0.0.0:80, 127.0.0.1:80": "write one of them",
    "[::1]:80, [::]:80": "write one of them",
    "unix:a, unix:a": "write one of them",
}


@pytest.mark.parametrize("value", READ)
def test_a_value_that_is_read(value: str) -> None:
    found = parse(value)
    assert list(found) == READ[value]
    assert parse(", ".join(map(str, found))) == found


@pytest.mark.parametrize("value", REFUSED)
def test_a_value_that_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="write") as caught:
        parse(value)
    assert REFUSED[value] in str(caught.value)
