"""Which section `[login.NAME]` a domain belongs to (accounts-anywhere §1.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping

from xmpp_rest.config.login_readers import BELOW, EVERY
from xmpp_rest.config.login_tables import LoginSettings


class LoginDomains:
    """The domains whose accounts may come in. An exact name outranks `*.example.org`, a longer one of these a shorter, and `*` comes last.

    `hosted`: the domains of the gateway itself, which belong to no section.
    """

    def __init__(self, logins: Mapping[str, LoginSettings], hosted: Collection[str]) -> None:
        self._sections = {pattern: login for login in logins.values() for pattern in login.domains}
        self._hosted = frozenset(hosted)

    def __bool__(self) -> bool:
        return bool(self._sections)

    @property
    def patterns(self) -> Collection[str]:
        """All patterns."""
        return self._sections.keys()

    def of(self, domain: str) -> LoginSettings | None:
        """The section of a domain, which is prepared; None: its accounts may not come in."""
        return self._sections.get(self.pattern(domain))

    def pattern(self, domain: str) -> str:
        """The pattern that matches a domain; "" for none."""
        if not self._sections or domain in self._hosted:
            return ""
        return next((pattern for pattern in _patterns(domain) if pattern in self._sections), "")


def _patterns(domain: str) -> Iterator[str]:
    """The patterns that would match a domain, the one of the highest rank first."""
    yield domain
    if "." not in domain or _is_address(domain):
        return
    rest = domain
    while "." in rest:
        rest = rest.partition(".")[2]
        yield f"{BELOW}{rest}"
    yield EVERY


def _is_address(domain: str) -> bool:
    """Whether a domain is an IP address in some form, which no DNS is asked about."""
    if domain.startswith("["):
        return True
    last = domain.rpartition(".")[2]
    try:
        ipaddress.ip_address(domain)
    except ValueError:
        return last.isdigit() or last.startswith("0x")  # 127.1, 0x7f.1: system resolvers take these for addresses
    return True
