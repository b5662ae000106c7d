"""Scopes of bearer tokens, and the commands that they open (commands-api §13; `send:` is our own).

| scope | opens |
| --- | --- |
| `ejabberd:user`, `sasl_auth` | what the account itself may: /rest, the client API, /data except for its credentials |
| `ejabberd:admin` | what the owner may as an administrator: commands, /data of everybody, /status |
| a command's name | that command, if a rule of the rights says so |
| `send:GLOB` | messages to addresses that the glob matches, and nothing else |
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from enum import Enum
from fnmatch import fnmatchcase

from xmpp_rest.protocol.jid import JID

ADMIN_SCOPE = "ejabberd:admin"
USER_SCOPE = "ejabberd:user"
ACCOUNT_SCOPES = frozenset((USER_SCOPE, "sasl_auth"))
GENERAL_SCOPES = ACCOUNT_SCOPES | {ADMIN_SCOPE}
_SEND = re.compile(r"send:([^@\s;\"\\]+@)?[^@/\s;\"\\]+")  # RFC 6749 §3.3: no blanks, quotation marks, backslashes
_PREFIX = "send:"


class Use(Enum):
    """What a request is about, as far as a token's scopes matter."""

    ACCOUNT = "account"  # anything that needs the account itself
    SEND = "send"  # send a message; the recipient is looked at later
    COMMAND = "command"  # run a command: the rights look at the scopes
    ADMINISTER = "administer"  # administrators have more rights here than others


def is_send_scope(scope: str) -> bool:
    """Whether this is a scope that lets send messages to the addresses of a glob."""
    return _SEND.fullmatch(scope) is not None


def is_scope(scope: str, commands: Collection[str]) -> bool:
    """Whether a token may have this scope, given the names of all commands."""
    return scope in GENERAL_SCOPES or scope in commands or is_send_scope(scope)


def send_scope(glob: str) -> str:
    """The scope for messages to the bare addresses that `glob` matches (`*`, `?`, `[…]`). Raises ValueError."""
    scope = _PREFIX + glob.lower()
    if not is_send_scope(scope):
        raise ValueError(f"{glob!r}: write an address without a resource, with * for any letters, such as ops@example.net or *@example.net")
    return scope


def recipients(scopes: Iterable[str]) -> tuple[str, ...]:
    """The globs of the addresses that these scopes let send to."""
    return tuple(sorted(scope.removeprefix(_PREFIX) for scope in scopes if is_send_scope(scope)))


def matches(jid: JID, globs: Iterable[str]) -> bool:
    """Whether the bare address is one of those that the globs mean."""
    return any(fnmatchcase(str(jid.bare), glob) for glob in globs)
