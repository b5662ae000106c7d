"""Reads the Authorization field of requests, by the policy of each dialect (RFC 9110 §11.6.2, RFC 7617, RFC 6750).

Nothing else reads that field. Which schemes there are, and how each is checked, is the table SCHEMES in `authenticator.py`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from xmpp_rest.auth.caller import DenialReason
from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid

MAX_FIELD = 8192  # bytes; a password has at most 1023
BASIC = "basic"
BEARER = "bearer"


class Credentials(NamedTuple):
    """What a field says. `scheme` is in lower case (RFC 9110 §11.1), `written` as it was sent; `text` is what follows."""

    scheme: str
    text: str
    written: str
    is_too_long: bool = False

    @property
    def pair(self) -> tuple[str, str] | None:
        """User id and password of Basic, parted by the first colon (RFC 7617 §2); None for another scheme, or what cannot be decoded."""
        if self.scheme != BASIC or self.is_too_long:
            return None
        try:
            name, colon, password = base64.b64decode(self.text, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):  # UnicodeDecodeError is a ValueError
            return None
        return (name, password) if colon else None


def read_authorization(field: str | None, *, bare: bool = False) -> Credentials | None:
    """The credentials in the value of the field; None without one. `bare`: without a scheme they are Basic's.

    Those of a field that is too long prove nobody.
    """
    if not field:
        return None
    written, blank, text = field.strip(" ").partition(" ")
    if bare and not blank:
        written, text = BASIC, written
    return Credentials(written.lower(), text.strip(" "), written, len(field) > MAX_FIELD)


def whole_address(name: str, domain: str) -> JID:
    """The account of a user name that must be a whole address. Raises InvalidJID."""
    if "@" not in name:
        raise InvalidJID(f"{name!r} is not a whole address")
    return parse_jid(name).bare


def any_address(name: str, domain: str) -> JID:
    """The account of a user name that is an address; without an `@` it is that of a domain. Raises InvalidJID."""
    return parse_jid(name).bare


def hosted_name(name: str, domain: str) -> JID:
    """The account of a user name that is an address, or the name of an account at `domain`. Raises InvalidJID."""
    return parse_jid(name).bare if "@" in name else local_jid(name, domain)


@dataclass(frozen=True, slots=True)
class Policy:
    """What one dialect makes of the field. Statuses that no policy names: 401 without credentials, 403 out of scope, 429 throttled."""

    realm: Callable[[Settings], str]
    account: Callable[[str, str], JID] = hosted_name
    """The account that a user name of Basic means, by the name and the hosted domain."""
    challenges: tuple[str, ...] = ("Basic",)
    """Schemes that a 401 names (RFC 9110 §11.6.1)."""
    wrong: int = 401
    """Status of credentials that are wrong."""
    component: bool = False
    """Whether the fixed token, and the component's domain with its secret, are good: for the gateway itself."""
    bare: bool = False
    """Whether Basic's credentials may stand without the scheme in front."""
    foreign: bool = False
    """Whether accounts of other servers may come in (accounts-anywhere §7)."""

    def challenge(self, settings: Settings) -> str:
        """The WWW-Authenticate field of a 401."""
        return ", ".join(f'{scheme} realm="{self.realm(settings)}"' for scheme in self.challenges)

    def status(self, reason: DenialReason) -> int:
        """What a request without a caller is answered."""
        return self.wrong if reason is DenialReason.WRONG else _STATUS[reason]

    def remark(self, field: str | None, domain: str) -> str:
        """The error of a user name that has to be a full address, but is not; "" if it is valid."""
        given = read_authorization(field)
        pair = given.pair if given and self.account is not hosted_name else None
        if pair is None or "@" in pair[0]:
            return ""
        return f"The user name is a whole address: write {pair[0][:100] or 'juliet'}@{domain}"


_STATUS = {DenialReason.MISSING: 401, DenialReason.FORBIDDEN: 403, DenialReason.THROTTLED: 429, DenialReason.ELSEWHERE: 403}

REST = Policy(  # COMPAT mod_rest
    lambda s: f"{s.gateway.domain}/rest", challenges=("Basic", "Bearer"), wrong=403, component=True, foreign=True
)
CLIENT = Policy(lambda s: s.client.realm, any_address, foreign=True)  # COMPAT MongooseIM: a user name alone is a domain
DATA = Policy(lambda s: f"{s.gateway.domain}/data_access", whole_address, bare=True)  # COMPAT mod_data_access: as documented
COMMANDS = Policy(lambda s: s.gateway.domain, whole_address)  # COMPAT ejabberd: it has several domains, and supplies none
HOOKS = Policy(lambda s: "hooks")
OPERATION = Policy(lambda s: s.gateway.domain)
OAUTH_CLIENT = Policy(lambda s: f"{s.gateway.domain}/oauth")  # the user name is a client_id
