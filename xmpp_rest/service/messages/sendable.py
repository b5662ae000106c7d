"""Checks of stanzas of accounts before they are sent, by any API."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import is_too_long


def unsendable(stanza: Element, to: JID, hosted: frozenset[str], domain: str) -> GatewayError | None:
    """The error for a stanza with a name instead of an address, or with an id that is too long; None for any other.

    `hosted`: the hosted domains; `domain`: that of the accounts.
    """
    if is_too_long(stanza.get("id", "")):
        return GatewayError("id-too-long")
    if stanza.tag != "iq" and is_bare_name(to, hosted):  # an iq is answered, at least by an error
        return GatewayError("bad-recipient", f"{str(to)[:100]!r} is not an address; give one such as {to.domain[:100]}@{domain}")
    return None


def is_bare_name(to: JID, hosted: frozenset[str]) -> bool:
    """Whether an address is the name of a user without a domain.

    It parses as the address of a domain, and there are domains without a dot: hosted ones, and the parents of hosted ones, such as the
    server `localhost` of the component `gateway.localhost`.
    """
    domain = to.domain
    if to.local or domain in hosted or "." in domain or ":" in domain:  # a colon: IPv6
        return False
    return not any(h.endswith(f".{domain}") for h in hosted)
