"""Addresses and ports that DNS may lead to, and those that it may not (accounts-anywhere §3.3)."""

from __future__ import annotations

import pytest

from xmpp_rest.link.c2s.addresses import in_url, is_allowed_port, is_literal, is_public

PUBLIC = [
    "93.184.216.34", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.1", "223.255.255.255",
    "2606:2800:220:1::1", "2001:4860:4860::8888", "::ffff:93.184.216.34", "64:ff9b::5db8:d822", "2002:5db8:d822::1",
]  # fmt: skip
INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::93.184.216.34", "fe80::1", "fe80::1%1", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "100::1", "2001:db8::1", "2001::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1",
    "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", INSIDE)
def test_inside(address: str) -> None:
    assert not is_public(address)


def test_ports() -> None:
    assert [port for port in range(-1, 70000) if is_allowed_port(port)] == [443, *range(1024, 65536)]


@pytest.mark.parametrize(
    ("text", "expected"), [("127.0.0.1", True), ("[::1]", True), ("::1", True), ("127.1", False), ("a.example", False)]
)
def test_literals(text: str, expected: bool) -> None:
    assert is_literal(text) is expected


def test_as_people_write_them() -> None:
    assert (in_url("192.0.2.7", 5223), in_url("2001:db8::7", 5222)) == ("192.0.2.7:5223", "[2001:db8::7]:5222")
