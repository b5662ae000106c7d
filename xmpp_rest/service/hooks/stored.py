"""Hooks as the storage has them: the tables, and what they are read as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers import Table
from xmpp_rest.config.hook_readers import ROOM
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.hooks.hook import Hook, HookTarget

HOOK = "hook"  # the store of a hook; its user is user_of(name)
HOOK_TOKEN = "hook_token"  # noqa: S105  hash of a token → name of its hook; its user is the hash
HOOK_USE = "hook_use"  # how often a hook was used; its user is user_of(name)
HOOKS_OF = "hooks"  # of an account: the names of its hooks
NUMBERS = "hook_numbers"  # of the domain


def user_of(name: str) -> str:
    """The user of a hook's stores, which no account can be (RFC 6122, appendix A.5: no colon in a localpart)."""
    return f"hook:{name}"


def name_of(user: str) -> str:
    """The hook whose stores have this user."""
    return user.removeprefix("hook:")


@dataclass(frozen=True, slots=True)
class StoredHook:
    """What is kept of a hook. `owner`: None: [hooks] address; `speaks_as`: None: what its owner speaks as;
    `owned`: since when it is this owner's; `version`: of its members."""

    name: str
    hash: str
    owner: JID | None
    speaks_as: JID | None
    targets: tuple[HookTarget, ...]
    number: int
    made: float
    owned: float
    version: int
    format: str
    template: str | None
    nick: str
    update: bool
    rate: int | None
    secret: str | None
    get: bool
    expires: float | None

    def to_table(self) -> dict[str, Any]:
        """The table of the store: without what is None, which Lua cannot keep."""
        members = {
            "token": self.hash, "owner": _text(self.owner), "from": _text(self.speaks_as), "targets": [str(t) for t in self.targets],
            "number": self.number, "made": self.made, "owned": self.owned, "version": self.version, "format": self.format,
            "template": self.template, "nick": self.nick, "update": self.update, "rate": self.rate, "secret": self.secret,
            "get": self.get, "expires": self.expires,
        }  # fmt: skip
        return {key: value for key, value in members.items() if value is not None}

    def to_hook(self, address: JID, *, speaks_as: JID) -> Hook:
        """The hook. `address`: that of [hooks]; `speaks_as`: the address of its messages, if it has none of its own."""
        return Hook(
            self.name, self.owner or address, self.speaks_as or speaks_as, self.targets, self.number, self.made, self.format,
            self.template, self.nick, self.update, self.rate, self.secret, self.get, self.expires, owned=self.owned,
        )  # fmt: skip


def read_target(text: str) -> HookTarget:
    """A target as it is kept. Raises InvalidJID."""
    return HookTarget(parse_jid(text.removeprefix(ROOM)), True if text.startswith(ROOM) else None)


def read_stored(user: str, table: Table) -> StoredHook | None:
    """The hook of a table; None for what another program has written."""
    if not isinstance(table, dict):
        return None
    try:
        rate, expires = table.get("rate"), table.get("expires")
        return StoredHook(
            name_of(user), str(table["token"]), _jid(table.get("owner")), _jid(table.get("from")),
            tuple(map(read_target, table["targets"])), int(table["number"]), float(table["made"]), float(table["owned"]),
            int(table["version"]), str(table["format"]), _optional(table.get("template")), str(table["nick"]), bool(table["update"]),
            None if rate is None else int(rate), _optional(table.get("secret")), bool(table["get"]),
            None if expires is None else float(expires),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, InvalidJID):
        return None


def _text(jid: JID | None) -> str | None:
    return None if jid is None else str(jid)


def _jid(text: Any) -> JID | None:
    return parse_jid(text) if text else None


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)
