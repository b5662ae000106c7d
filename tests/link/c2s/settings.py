"""Settings of logins and sessions, as they are by default, for tests that are below the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings


def _read(table: type, given: Mapping[str, object]) -> dict[str, Any]:
    """Each setting of a table, given as text, or as it is by default."""
    rows = {row.name: row.metadata for row in fields(table) if "read" in row.metadata}
    assert given.keys() <= rows.keys(), given
    return {name: row["read"](str(given.get(name, row["default"]))) for name, row in rows.items()}


def sessions(**given: object) -> SessionsSettings:
    """A section `[sessions]`."""
    return SessionsSettings(**_read(SessionsSettings, given))


def login_section(given: Mapping[str, object]) -> LoginSettings:
    """A section `[login.tests]`."""
    return LoginSettings(**_read(LoginSettings, given), name="tests")
