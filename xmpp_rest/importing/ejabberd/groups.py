"""Shared roster groups in ejabberd's tables `sr_group` and `sr_user`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from xmpp_rest.importing import records as r
from xmpp_rest.importing.erlang.terms import Term, text_of
from xmpp_rest.importing.erlang.text import parse_term
from xmpp_rest.importing.sql.database import Database, Row, SourceTable, select

_FLAGS = ("all_users", "online_users")
_ORDER = ("sr_group.server_host", "sr_group.name", "sr_user.jid")


def shared_groups(database: Database, domain: str) -> Iterator[r.SharedGroup | r.Unreadable]:
    """The groups, of `domain` where the table names none."""
    group = SourceTable("sr_group", {"server_host": None, "name": "", "opts": "[]"})
    user = SourceTable("sr_user", {"jid": ""}, {"grp": "sr_group.name", "server_host": "sr_group.server_host"}, optional=True)
    for (host, name), rows in groupby(
        select(database, [group, user], _ORDER), lambda row: (row["server_host"] or domain, str(row["name"]))
    ):
        try:
            yield _group(name, host, list(rows))
        except (ValueError, TypeError, IndexError) as e:
            yield r.Unreadable(f"{name} at {host}", r.GROUPS, str(e))


def _group(name: str, host: str, rows: list[Row]) -> r.SharedGroup:
    options: dict[str, Term] = {text_of(pair[0]): pair[1] for pair in parse_term(rows[0]["opts"])}
    label = options.get("label", options.get("name", b""))  # COMPAT ejabberd before 21.07: name
    displayed = tuple(map(text_of, options.get("displayed_groups", [])))
    flags = frozenset(flag for flag in _FLAGS if options.get(flag) == "true")
    members = tuple(row["jid"] for row in rows if row["jid"])
    return r.SharedGroup(name, host, text_of(label), text_of(options.get("description", b"")), displayed, flags, members)
