"""Databases of other servers as sources: `SERVER+KIND:PLACE`, such as `ejabberd+sqlite:/var/lib/ejabberd/ejabberd.db`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.ejabberd import source as ejabberd
from xmpp_rest.importing.mongooseim import source as mongooseim
from xmpp_rest.importing.sources import ImportSource, Opener, SourceRequest
from xmpp_rest.importing.sql.database import Database
from xmpp_rest.importing.sql.dump import Dump
from xmpp_rest.importing.sql.postgresql import PostgreSQL
from xmpp_rest.importing.sql.sqlitefile import SQLiteFile


class SourceServer(NamedTuple):
    """A kind of server: how its database is read, and which tables that takes."""

    opened: Callable[[Database, Domains], ImportSource]
    tables: frozenset[str]


_SERVERS = {
    "ejabberd": SourceServer(ejabberd.open_ejabberd, ejabberd.TABLES),
    "mongooseim": SourceServer(mongooseim.open_mongooseim, mongooseim.TABLES),
}


def _sqlite(request: SourceRequest, _: SourceServer) -> Database:
    return SQLiteFile(request.folder / request.place)


def _dump(request: SourceRequest, server: SourceServer) -> Database:
    return Dump(request.folder / request.place, server.tables)


def _postgresql(request: SourceRequest, _: SourceServer) -> Database:
    return PostgreSQL(f"postgresql:{request.place}")


_KINDS: dict[str, Callable[[SourceRequest, SourceServer], Database]] = {"sqlite": _sqlite, "postgresql": _postgresql, "dump": _dump}


def _opener(server: SourceServer, connect: Callable[[SourceRequest, SourceServer], Database]) -> Opener:
    def open_source(request: SourceRequest) -> ImportSource:
        database = connect(request, server)
        try:
            return server.opened(database, request.domains)
        except BaseException:
            database.close()
            raise

    return open_source


OPENERS: dict[str, Opener] = {
    f"{name}+{kind}": _opener(server, connect) for name, server in _SERVERS.items() for kind, connect in _KINDS.items()
}
"""Prefix of SOURCE → what opens it."""
