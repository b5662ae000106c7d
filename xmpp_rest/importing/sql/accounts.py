"""Accounts of a database: the rows of its table `users`, each with its rows of other tables, all read side by side in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from xmpp_rest.importing.erlang.terms import BadTerm
from xmpp_rest.importing.records import Account, AccountPart, LeftOut, Unreadable
from xmpp_rest.importing.sql.database import Database, GroupedRows, Row, SourceTable, count, select
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import InvalidJID

USERS = "users"


class SourceAccount(NamedTuple):
    """An account of the source."""

    host: str
    username: str

    def __str__(self) -> str:
        return f"{self.username}@{self.host}"


class Attached(NamedTuple):
    """Rows that belong to accounts: the tables after `users`, the first with the columns that name the account, their order, their reader.

    `others`: which rows of the first table that belong to no account are counted, as a condition; None: none of them.
    """

    kind: str
    tables: tuple[SourceTable, ...]
    order: tuple[str, ...]
    read: Callable[[SourceAccount, Iterator[Row]], Iterator[AccountPart]]
    others: str | None = ""


class AccountRows:
    """The accounts of a database whose tables name the domain in `host_column`, or nowhere: then it is `domain`."""

    def __init__(self, database: Database, host_column: str, domain: str, attached: Sequence[Attached]) -> None:
        self._database, self._host_column, self._domain, self._attached = database, host_column, domain, attached
        self._order = (f"{USERS}.{host_column}", f"{USERS}.username")
        columns = database.columns(USERS)
        # COMPAT ejabberd 25.03: a row for each mechanism of an account
        distinct = (host_column, "username") if "type" in columns else ()
        self._base = SourceTable(USERS, {host_column: None, "username": ""}, distinct=distinct)

    def entities(self, credentials: Mapping[str, object], read: Callable[[Iterator[Row]], Iterator[AccountPart]],
                 also: Sequence[SourceTable] = (), order: Sequence[str] = ()) -> Iterator[Account]:  # fmt: skip
        """The accounts. `credentials`: columns of `users`, and `also` tables, that `read` makes parts of."""
        main = SourceTable(USERS, {self._host_column: None, "username": "", **credentials})
        rows = select(self._database, [main, *also], [*self._order, *order])
        grouped_rows = [(each, self._grouped(each)) for each in self._attached]
        for owner, own in groupby(rows, self._owner):
            yield Account(owner.username, owner.host, self._parts(owner, read(own), grouped_rows))
            for _, grouped in grouped_rows:
                grouped.skip(owner)
        for _, grouped in grouped_rows:
            grouped.require_end()

    def size(self) -> int:
        """The number of accounts."""
        return count(self._database, [self._base])

    def without_account(self) -> Iterator[Unreadable]:
        """What belongs to no account of `users`, counted table by table."""
        for each in self._attached:
            first = each.tables[0]
            if each.others is None or not self._database.columns(first.name):
                continue
            base = self._base._replace(on=_turned(first), optional=True)
            where = " AND ".join(filter(None, [f'"{USERS}"."username" IS NULL', each.others]))
            number = count(self._database, [first._replace(on={}), base], where)
            if number:
                reason = f"{number} rows of the table {first.name} belong to nobody in the table {USERS}"
                yield Unreadable("the database", each.kind, reason)

    def _owner(self, row: Row) -> SourceAccount:
        return SourceAccount(row[self._host_column] or self._domain, row["username"])

    def _grouped(self, attached: Attached) -> GroupedRows:
        first = attached.tables[0]
        own = {other: f"{first.name}.{column}" for column, other in first.on.items()}
        # by its own columns, of which there is an index; they are equal, and in the same order
        order = [own.get(name, name) for name in self._order]
        rows = select(self._database, [self._base, *attached.tables], [*order, *attached.order])
        return GroupedRows(rows, self._owner)

    def _parts(
        self, owner: SourceAccount, credentials: Iterator[AccountPart], grouped_rows: Iterable[tuple[Attached, GroupedRows]]
    ) -> Iterator[AccountPart]:
        yield from credentials
        for attached, grouped in grouped_rows:
            yield from attached.read(owner, grouped.of(owner))


def _turned(table: SourceTable) -> dict[str, str]:
    """The conditions of a table on `users`, as conditions of `users`."""
    prefix = f"{USERS}."
    return {other.removeprefix(prefix): f'"{table.name}"."{column}"' for column, other in table.on.items()}


def each_row(kind: str, convert: Callable[[Row], Iterator[AccountPart]]) -> Callable[[SourceAccount, Iterator[Row]], Iterator[AccountPart]]:
    """A reader that converts each row for itself; one that cannot be converted is left out."""

    def read(_: SourceAccount, rows: Iterator[Row]) -> Iterator[AccountPart]:
        for row in rows:
            try:
                yield from convert(row)
            except (BadXML, BadTerm, InvalidJID, ValueError, KeyError) as e:
                yield LeftOut(kind, str(e))

    return read
