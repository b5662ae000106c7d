"""Databases in PostgreSQL: its types, its cursors, and what is said of one that cannot be read."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg
import pytest

from tests.drivers.conftest import cluster
from tests.drivers.postgrescluster import Cluster
from tests.importing.erlang.terms import cdata, element, encode_term
from tests.importing.sql.filled import of_kind, read
from xmpp_rest.importing import records as r
from xmpp_rest.importing.sources import BadSource
from xmpp_rest.importing.sql.postgresql import PostgreSQL

__all__ = ["cluster"]
HOST, ROOMS = "montague.example", "muc.montague.example"
SCHEMA = """
CREATE TABLE users (username varchar(250), server varchar(250), "password" text NOT NULL, pass_details text,
                    created_at TIMESTAMP NOT NULL DEFAULT '2026-11-29 10:00:00', PRIMARY KEY (server, username));
CREATE TYPE mam_direction AS ENUM('I', 'O');
CREATE TABLE mam_server_user (id SERIAL UNIQUE PRIMARY KEY, server varchar(250) NOT NULL, user_name varchar(250) NOT NULL);
CREATE TABLE mam_message (id BIGINT NOT NULL, user_id INT NOT NULL, from_jid varchar(250) NOT NULL, remote_bare_jid varchar(250) NOT NULL,
                          direction mam_direction NOT NULL, message bytea NOT NULL, PRIMARY KEY (user_id, id));
CREATE TABLE rosterusers (server varchar(250), username varchar(250), jid text, nick text, subscription character(1), ask character(1), askmessage text);
CREATE TABLE muc_rooms (id BIGSERIAL NOT NULL UNIQUE, muc_host VARCHAR(250), room_name VARCHAR(250), options JSON NOT NULL);
"""  # of MongooseIM's priv/pg.sql
MESSAGE = encode_term(element("message", {"type": "chat"}, element("body", {}, cdata("hi"))), compressed=True)


@pytest.fixture
def url(cluster: Cluster) -> str:
    """A database of MongooseIM with 30 accounts of 150 messages each, which no single read of a cursor has."""
    found = cluster.new_database("LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0")
    names = [f"{letter}{n}" for letter in "aZß-" for n in range(5)]
    with psycopg.connect(found) as connection:
        connection.execute(SCHEMA.encode())
        for n, name in enumerate(names):
            connection.execute("INSERT INTO users (username, server, password) VALUES (%s, %s, 'x')", (name, HOST))
            connection.execute("INSERT INTO rosterusers VALUES (%s, %s, 'a@b', '', 'B', 'N', '')", (HOST, name))
            connection.execute("INSERT INTO mam_server_user VALUES (%s, %s, %s)", (n, HOST, name))
            row = "INSERT INTO mam_message SELECT i * 256, %s, 'bob', 'bob', 'I', %s FROM generate_series(1, 150) i"
            connection.execute(row, (n, MESSAGE))
        connection.execute("INSERT INTO muc_rooms VALUES (1, %s, 'hall', %s)", (ROOMS, json.dumps({"title": "Hall", "public": False})))
    return found


def test_a_database_of_mongooseim_is_read(url: str) -> None:
    found, others = read(f"mongooseim+{url}", {})
    assert len(found) == 21
    for who, parts in found.items():
        if not who.endswith(ROOMS):
            made, password, contact, *items = parts
            assert (made, password, contact) == (r.Made(1795946400.0), r.Password("x"), r.RosterItem("a@b", "both"))
            assert [item.id for item in items[:2]] == ["80", "G0"]
            assert len(items) == 150
            assert {(item.with_, item.stanza.findtext("body")) for item in items} == {(f"bob@{HOST}", "hi")}
    options = {part.name: part.value for part in of_kind(found[f"hall@{ROOMS}"], r.RoomOption)}
    assert (options["title"], options["public"]) == ("Hall", "false")
    assert not others


def test_nothing_can_be_written(url: str) -> None:
    with closing(PostgreSQL(url)) as database, pytest.raises(BadSource, match="read-only"):
        list(database.rows("SELECT setval('mam_server_user_id_seq', 5)"))


@pytest.mark.parametrize("place", ["postgresql://nobody@127.0.0.1:1/x", "postgresql://%", "postgresql://?sslmode=odd"])
def test_a_database_that_cannot_be_reached_is_said(place: str) -> None:
    with pytest.raises(BadSource, match="the database cannot be read"):
        read(f"ejabberd+{place}", {})


def test_a_database_of_another_program_is_refused(cluster: Cluster) -> None:
    with pytest.raises(BadSource, match="not a database of ejabberd"):
        read(f"ejabberd+{cluster.new_database()}", {})
