"""Names of users, hosts and stores, and their checks."""

from __future__ import annotations

from typing import NamedTuple

from drivers import BadValue

MAX_NAME = 3071
"""Characters. Names in XMPP end at 1023 bytes (RFC 7622 §3.2); store names hold a node (`pep_…`), which may be longer."""


class Key(NamedTuple):
    """The key of a table, list or archive, as in SQL: an empty user is the host itself, an empty host stands for no host."""

    host: str
    user: str
    store: str


def checked_key(user: str | None, host: str, store: str) -> Key:
    """The key of a store. Raises BadValue for a name that a storage could not distinguish from others."""
    if user == "":
        raise BadValue("user must not be empty; None addresses what belongs to the host itself")
    if not store:
        raise BadValue("store must not be empty")
    for what, name in (("user", user or ""), ("host", host), ("store", store)):
        check_name(what, name)
    return Key(host, user or "", store)


def check_name(what: str, name: str) -> None:
    """Raise BadValue unless `name` is text that every format can hold."""
    if "\0" in name:
        raise BadValue(f"{what} must not contain the character U+0000")
    if len(name) > MAX_NAME:
        raise BadValue(f"{what} has {len(name)} characters; at most {MAX_NAME} can be kept")
    if not name.isascii():
        check_text(what, name)


def check_text(what: str, text: str) -> None:
    """Raise BadValue for text that has no UTF-8 form (a lone surrogate)."""
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise BadValue(f"{what} contains a lone surrogate at character {e.start}, which is not Unicode text") from e
