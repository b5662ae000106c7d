"""Rights on commands: a table of rules, of which one match is enough (commands-api §5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from xmpp_rest.auth.scopes import ADMIN_SCOPE
from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.prep import PrepError, nameprep

HTTP = "mod_http_api"  # the front ends by the names that rules give them
COMMAND_LINE = "ejabberd_ctl"


class Principal(NamedTuple):
    """The caller of a command. `jid`: None for an anonymous one; `scopes`: those of a token, None without one; `address`: the client's."""

    jid: JID | None = None
    admin: bool = False
    scopes: frozenset[str] | None = None
    address: str = ""


class Permission(NamedTuple):
    """What a caller needs: a command with its tags, and the domain it would work on, if it works on one."""

    name: str
    tags: Collection[str]
    host: str | None = None


WHO: Mapping[str, Callable[[Principal], bool]] = {
    "admin": lambda principal: principal.admin,
    "account": lambda principal: principal.jid is not None,
    "anonymous": lambda principal: principal.jid is None,
    "all": lambda _: True,
}


def _is_one(who: str, principal: Principal) -> bool:
    """Whether the caller is one of `who`: a word of WHO, an address with globs, or a network."""
    if who in WHO:
        return WHO[who](principal)
    if "@" in who:
        return principal.jid is not None and fnmatchcase(str(principal.jid.bare), who.lower())
    return _is_in(principal.address, who)


@lru_cache(maxsize=4096)
def _is_in(address: str, network: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
        ip = getattr(ip, "ipv4_mapped", None) or ip  # a socket of both families names IPv4 so (RFC 4291 §2.5.5.2)
        return ip in ipaddress.ip_network(network)
    except ValueError:  # a Unix socket's client has no address
        return False


@dataclass(frozen=True, slots=True)
class Rule:
    """Opens the commands `what` to any of the callers `who` at the front ends `via` (none: at all of them).

    `what`: `*`, a command's name, `[tag:NAME]`; after a `!` it takes away from what the others add.
    With `scopes` the rule is for those who come with a token that has one of them; without, for those who come without a token.
    """

    name: str
    who: tuple[str, ...]  # keys of WHO, addresses, networks
    what: tuple[str, ...]
    via: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()

    def opens(self, principal: Principal, permission: Permission, front_end: str) -> bool:
        here = not self.via or front_end in self.via
        return here and self._is_for(principal) and any(_is_one(w, principal) for w in self.who) and self._names(permission)

    def _is_for(self, principal: Principal) -> bool:
        return not self.scopes if principal.scopes is None else not self.scopes.isdisjoint(principal.scopes)

    def _names(self, permission: Permission) -> bool:
        added = any(_matches(w, permission) for w in self.what if not w.startswith("!"))
        return added and not any(_matches(w[1:], permission) for w in self.what if w.startswith("!"))


def _matches(what: str, permission: Permission) -> bool:
    if what.startswith("[tag:") and what.endswith("]"):
        return what[5:-1] in permission.tags
    return what in ("*", permission.name)


DEFAULTS = (
    Rule("administrators", ("admin",), ("*", "!stop", "!start")),
    Rule("tokens", ("admin",), ("*", "!stop", "!start"), (), frozenset((ADMIN_SCOPE,))),
    Rule("console", ("all",), ("*",), (COMMAND_LINE,)),
)
"""Over HTTP anonymous callers and ordinary accounts may run nothing. A rule of the same name replaces one of these."""


def with_defaults(rules: Iterable[Rule]) -> list[Rule]:
    """The rules, and those of DEFAULTS that none of them replaces."""
    own = list(rules)
    return [*own, *(rule for rule in DEFAULTS if rule.name not in {r.name for r in own})]


class Rights:
    """The rules of one gateway. `domain` is the hosted one, which administrators administer."""

    def __init__(self, domain: str, rules: Iterable[Rule] = DEFAULTS) -> None:
        self._domain = domain
        self._rules = tuple(rules)

    def allow(self, principal: Principal, permission: Permission, front_end: str) -> bool:
        """Whether a rule opens the command, and the domain that it works on is the caller's to administer."""
        if principal.jid is not None and permission.host is not None and not self._administers(principal, permission.host):
            return False
        return any(rule.opens(principal, permission, front_end) for rule in self._rules)

    def _administers(self, principal: Principal, host: str) -> bool:
        try:
            return principal.admin and nameprep(host) == self._domain
        except PrepError:
            return False


def rights_of(settings: Settings) -> Rights:
    """The rules of the settings and the default ones. Cheap: made for each call, so that settings may change."""
    own = [Rule(name, r.who, r.what, r.from_, r.scopes) for name, r in settings.rights.items()]
    return Rights(settings.gateway.domain, with_defaults(own))
