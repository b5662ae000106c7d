"""Which addresses and ports DNS may lead to: the owner of a domain chooses them, so none may be inside (accounts-anywhere §3.3)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

HTTPS = 443  # XEP-0368 is often offered there
FIRST_FREE = 1024  # ports below are those of system services
_UNICAST = IPv6Network("2000::/3")  # the only global unicast addresses that are assigned
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1


def is_public(address: str) -> bool:
    """Whether an address, written as a literal, is of the public Internet. One that holds an IPv4 address is what that is."""
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return _is_public(found)
    inside = IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else found.ipv4_mapped or found.sixtofour
    return _is_public(inside) if inside is not None else found in _UNICAST and _is_public(found)


def is_allowed_port(port: int) -> bool:
    """Whether a service of XMPP may be there."""
    return port == HTTPS or FIRST_FREE <= port <= 65535


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_literal(domain: str) -> bool:
    """Whether a domain is an address itself."""
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return False
    return True


def in_url(address: str, port: int) -> str:
    """Both as people write them: `192.0.2.7:5223`, `[2001:db8::7]:5223`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
