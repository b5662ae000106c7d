"""XMPP addresses: parsing, preparation and comparison (RFC 6122)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from xmpp_rest.protocol.prep import PrepError, nameprep, nodeprep, resourceprep


class InvalidJID(ValueError):
    """The text is not an XMPP address; the sentence says which part is wrong and why."""


class JID(NamedTuple):
    """A prepared address `local@domain/resource`; equal addresses are equal values."""

    local: str  # "" if there is none
    domain: str
    resource: str  # "" if there is none

    @property
    def bare(self) -> JID:
        """The address without its resource (RFC 6120 §1.4)."""
        return JID(self.local, self.domain, "") if self.resource else self

    def at(self, resource: str) -> JID:
        """The full address of this account at `resource`. Raises InvalidJID."""
        return self._replace(resource=_part(resource, "resource", resourceprep))

    def __str__(self) -> str:
        local, domain, resource = self
        text = f"{local}@{domain}" if local else domain
        return f"{text}/{resource}" if resource else text


def _part(text: str, name: str, prepare: Callable[[str], str]) -> str:
    try:
        return prepare(text)
    except PrepError as e:
        raise InvalidJID(f"the {name} part is not valid: {e}") from e


@lru_cache(maxsize=8192)
def parse_jid(text: str) -> JID:
    """The address in `text`, prepared. Raises InvalidJID.

    Split in the order of RFC 6122 §2.1: the first `/` begins the resource, and only before it the first `@` ends the localpart.
    """
    head, slash, resource = text.partition("/")
    local, at, domain = head.partition("@")
    if not at:
        local, domain = "", head
    elif not local:
        raise InvalidJID("the local part is not valid: it is empty")
    return JID(
        _part(local, "local", nodeprep) if at else "",
        _part(domain, "domain", nameprep),
        _part(resource, "resource", resourceprep) if slash else "",
    )


def local_jid(local: str, domain: str) -> JID:
    """The bare address of `local` at `domain`, both prepared here; a `local` with `@` in it is refused, not split. Raises InvalidJID."""
    return JID(_part(local, "local", nodeprep), _part(domain, "domain", nameprep), "")


def is_bare_name(to: JID, hosted: frozenset[str]) -> bool:
    """Whether an address is the name of a user without a domain.

    It parses as the address of a domain, and there are domains without a dot: hosted ones, and the parents of hosted ones, such as the
    server `localhost` of the component `gateway.localhost`.
    """
    domain = to.domain
    if to.local or domain in hosted or "." in domain or ":" in domain:  # a colon: IPv6
        return False
    return not any(h.endswith(f".{domain}") for h in hosted)
