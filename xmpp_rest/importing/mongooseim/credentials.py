"""Credentials in MongooseIM's table `users`, and bans in its table `blocklist`."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from xmpp_rest.importing import records as r
from xmpp_rest.importing.ejabberd.credentials import time_of
from xmpp_rest.importing.sql.database import Row, SourceTable

COLUMNS: dict[str, Any] = {"password": "", "pass_details": "", "created_at": None}
BLOCKLIST = SourceTable(
    "blocklist",
    {"blocked": "", "reason": ""},
    {"lserver": "users.server", "luser": "users.username"},
    optional=True,
    renamed={"blocked": "luser"},
)
_ONE, _SEVERAL = "==SCRAM==,", "==MULTI_SCRAM==,"
_MECHANISMS = {
    "===SHA1===": "SCRAM-SHA-1", "==SHA224==": "SCRAM-SHA-224", "==SHA256==": "SCRAM-SHA-256", "==SHA384==": "SCRAM-SHA-384",
    "==SHA512==": "SCRAM-SHA-512",
}  # fmt: skip


def credentials(rows: Iterator[Row]) -> Iterator[r.AccountPart]:
    """The credentials in the row of one account."""
    for row in rows:
        if (made := time_of(row["created_at"])) is not None:
            yield r.Made(made)
        if row["blocked"]:
            yield r.Disabled(row["reason"])
        if not row["pass_details"]:
            yield r.Password(row["password"])
            continue
        try:
            yield from _scrams(row["pass_details"])
        except (ValueError, binascii.Error) as e:
            yield r.LeftOut(r.ACCOUNTS, f"the column pass_details cannot be read: {e}")


def _scrams(text: str) -> Iterator[r.Scram]:
    """Of `==MULTI_SCRAM==,COUNT,==SHA256==SALT|STORED|SERVER,…`, or of `==SCRAM==,STORED,SERVER,SALT,COUNT` of old databases."""
    if text.startswith(_ONE):
        stored, server, salt, count = text.removeprefix(_ONE).split(",")
        yield _scram("SCRAM-SHA-1", int(count), salt, stored, server)
        return
    if not text.startswith(_SEVERAL):
        raise ValueError(f"it begins with {text[:12]!r}")
    count, *details = text.removeprefix(_SEVERAL).split(",")
    for each in details:
        salt, stored, server = each[10:].split("|")
        yield _scram(_MECHANISMS.get(each[:10], each[:10]), int(count), salt, stored, server)


def _scram(mechanism: str, count: int, *keys: str) -> r.Scram:
    return r.Scram(mechanism, count, *(b64decode(key, validate=True) for key in keys))
