"""Credentials in ejabberd's table `users`, and bans, which since 24.06 hide in private storage.

There is an element of the namespace BANNED with reason and date. In 24.12 a banned account has keys of a random password in `users`, and
the true ones in that element; later versions leave those in `users` alone.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.importing import records as r
from xmpp_rest.importing.sql.account_tables import parsed
from xmpp_rest.importing.sql.database import Row, SourceTable
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.element import BadXML

BANNED = "jabber:ejabberd:banned"
COLUMNS: dict[str, Any] = {"type": 0, "password": "", "serverkey": "", "salt": "", "iterationcount": 0, "created_at": None}
BAN = SourceTable(
    "private_storage",
    {"ban": ""},
    {"server_host": "users.server_host", "username": "users.username"},
    optional=True,
    also=f'"private_storage"."namespace" = \'{BANNED}\'',
    renamed={"ban": "data"},
)
_MECHANISMS = {"sha": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256", "sha512": "SCRAM-SHA-512"}
_TYPES = {2: "sha", 3: "sha256", 4: "sha512"}  # since 25.03; before, a prefix of the key says it
_TAG = f"{{{BANNED}}}"


def credentials(rows: Iterator[Row]) -> Iterator[r.AccountPart]:
    """The credentials in the rows of one account, of which there is one for each mechanism since 25.03."""
    first, elsewhere = True, False
    for row in rows:
        if first:
            if (made := time_of(row["created_at"])) is not None:
                yield r.Made(made)
            ban = list(_ban(row["ban"])) if row["ban"] else []
            elsewhere = len(ban) > 1
            yield from ban
        if not elsewhere:
            yield from _password(row)
        first = False


def time_of(value: object) -> float | None:
    """The Unix time of a column with a time, which is in UTC; None without one."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(when, datetime):
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _password(row: Row) -> Iterator[r.AccountPart]:
    count = int(row["iterationcount"])
    if not count and not row["salt"]:
        yield r.Password(row["password"])
        return
    prefix, colon, key = row["password"].partition(":")
    name = prefix if colon else _TYPES.get(int(row["type"]), "sha")
    yield from _scram(name, count, row["salt"], key if colon else row["password"], row["serverkey"])


def _ban(text: str) -> Iterator[r.AccountPart]:
    """The ban, and the credentials, if they are in it."""
    try:
        ban = parsed(text)
    except BadXML as e:
        yield r.Disabled()
        yield r.LeftOut(r.ACCOUNTS, f"the ban cannot be read, and with it the password: {e}")
        return
    last_when = _time(_text(ban, "lastdate"))
    yield r.Disabled(_text(ban, "reason"), _time(_text(ban, "bandate")), last_when, _text(ban, "lastreason"))
    password = ban.find(f"{_TAG}password")
    if password is None:
        return
    if not len(password):
        yield r.Password(password.text or "")
        return
    count = _text(password, "iterationcount")
    keys = (_text(password, name) for name in ("salt", "storedkey", "serverkey"))
    yield from _scram(_text(password, "hash") or "sha", int(count) if count.isdigit() else 0, *keys)


def _scram(hash_name: str, count: int, salt: str, stored_key: str, server_key: str) -> Iterator[r.AccountPart]:
    try:
        decoded = [b64decode(text, validate=True) for text in (salt, stored_key, server_key)]
    except (binascii.Error, ValueError) as e:
        yield r.LeftOut(r.ACCOUNTS, f"a password is not base64: {e}")
        return
    yield r.Scram(_MECHANISMS.get(hash_name, hash_name), count, *decoded)


def _text(element: Element, name: str) -> str:
    return element.findtext(f"{_TAG}{name}", "")


def _time(text: str) -> float | None:
    try:
        return parse_datetime(text) if text else None
    except ValueError:
        return None
