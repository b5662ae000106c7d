"""Which commands may this caller run? A table of rules; one that matches is enough (spec commands-api §5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.prep import PrepError, nameprep

HTTP = "mod_http_api"  # the front ends by the names that rules give them
COMMAND_LINE = "ejabberd_ctl"
ADMIN_SCOPE = "ejabberd:admin"


class Asker(NamedTuple):
    """Who asks. `jid` is None for an anonymous caller; `scopes` are those of a token, None without one."""

    jid: JID | None = None
    admin: bool = False
    scopes: frozenset[str] | None = None


class Asked(NamedTuple):
    """What for: a command with its tags, and the domain it would work on, if it works on one."""

    name: str
    tags: Collection[str]
    host: str | None = None


def _is_admin(asker: Asker) -> bool:
    """A token shows only what its scopes say, and these only what its owner may."""
    return asker.admin and (asker.scopes is None or ADMIN_SCOPE in asker.scopes)


WHO: Mapping[str, Callable[[Asker], bool]] = {
    "admin": _is_admin,
    "account": lambda asker: asker.jid is not None and asker.scopes is None,
    "all": lambda asker: asker.scopes is None,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Opens the commands `what` to any of the callers `who` at the front ends `via` (none: at all of them).

    `what`: `*`, a command's name, `[tag:NAME]`; behind a `!` it takes away from what the others add.
    """

    name: str
    who: tuple[str, ...]  # keys of WHO
    what: tuple[str, ...]
    via: tuple[str, ...] = ()

    def opens(self, asker: Asker, asked: Asked, front_end: str) -> bool:
        return (not self.via or front_end in self.via) and any(WHO[w](asker) for w in self.who) and self._names(asked)

    def _names(self, asked: Asked) -> bool:
        added = any(_matches(w, asked) for w in self.what if not w.startswith("!"))
        return added and not any(_matches(w[1:], asked) for w in self.what if w.startswith("!"))


def _matches(what: str, asked: Asked) -> bool:
    if what.startswith("[tag:") and what.endswith("]"):
        return what[5:-1] in asked.tags
    return what in ("*", asked.name)


ADMINISTRATORS = Rule("administrators", ("admin",), ("*", "!stop", "!start"))
"""The one rule of the default: anonymous callers and ordinary accounts may run nothing."""


class Rights:
    """The rules of one gateway. `domain` is the hosted one, which administrators administer."""

    def __init__(self, domain: str, rules: Iterable[Rule] = (ADMINISTRATORS,)) -> None:
        self._domain = domain
        self._rules = tuple(rules)

    def allow(self, asker: Asker, asked: Asked, front_end: str) -> bool:
        """Whether a rule opens the command, and the domain that it works on is the caller's to administer."""
        if asker.jid is not None and asked.host is not None and not self._administers(asker, asked.host):
            return False
        return any(rule.opens(asker, asked, front_end) for rule in self._rules)

    def _administers(self, asker: Asker, host: str) -> bool:
        try:
            return asker.admin and nameprep(host) == self._domain
        except PrepError:
            return False
