"""Addresses in MongooseIM's archive: in full (`mam_jid_rfc`), or without what they have in common with the owner's (`mam_jid_mini`)."""

from __future__ import annotations

import re

from xmpp_rest.importing.sql.accounts import SourceAccount
from xmpp_rest.importing.sql.database import Database

_ANY_FULL = "SELECT 1 FROM mam_message WHERE remote_bare_jid LIKE '%@%' LIMIT 1"
_SIGN = re.compile("[@/:]")


def has_full_addresses(database: Database) -> bool:
    """Whether the archive has addresses in full: a short bare one has no `@`."""
    return bool(database.columns("mam_message")) and next(database.rows(_ANY_FULL), None) is not None


def expanded(owner: SourceAccount, text: str, full: bool) -> str:
    """The address that `text` stands for in the archive of `owner`.

    `full`: the archive has addresses in full, perhaps beside short ones, if the setting was changed. A word alone is then a domain if it
    has a dot. Short ones are `` (the owner), `/resource` (of the owner), `user`, `user/resource` (of the owner's domain), `:` (that
    domain), `:/resource`, `domain:user`, `domain:`, `domain@user/resource`.
    """
    bare = text.partition("/")[0]
    if full and ("@" in bare or (":" not in bare and "." in bare)):
        return text
    if not text or text.startswith("/"):
        return f"{owner}{text}"
    match = _SIGN.search(text)
    if match is None or match[0] == "/":
        user, slash, resource = text.partition("/")
        return f"{user}@{owner.host}{slash}{resource}"
    before, after = text[: match.start()], text[match.end() :]
    if match[0] == "@":
        return f"{before}{after}" if after.startswith("/") else _joined(after, before)
    if not before:
        return f"{owner.host}{after}"
    return f"{after}@{before}" if after else before


def _joined(tail: str, domain: str) -> str:
    user, slash, resource = tail.partition("/")
    return f"{user}@{domain}{slash}{resource}"
