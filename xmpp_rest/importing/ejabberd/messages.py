"""Messages in ejabberd's tables `spool` and `archive`, and what an account archives."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from xmpp_rest.importing import records as r
from xmpp_rest.importing.ejabberd.credentials import time_of
from xmpp_rest.importing.erlang.terms import Term, text_of
from xmpp_rest.importing.erlang.text import parse_term
from xmpp_rest.importing.sql.account_tables import parsed
from xmpp_rest.importing.sql.accounts import Attached, SourceAccount, each_row
from xmpp_rest.importing.sql.database import Row, SourceTable
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.namespaces import DELAY, MUC_USER

_ARCHIVED = "{urn:xmpp:mam:tmp}archived"
_DELAY = f"{{{DELAY}}}delay"
_OFFLINE = "Offline Storage"
_MUC_USER = f"{{{MUC_USER}}}x"
MICROSECONDS = 1e6
COMPRESSED = "the message is compressed (mod_mam's option compress_xml), which is not read here"
ARCHIVE = {"timestamp": 0, "bare_peer": "", "xml": "", "kind": "", "nick": ""}
OF = {"server_host": "users.server_host", "username": "users.username"}


def message_tables() -> list[Attached]:
    """The tables of messages of accounts."""
    kinds = r.KINDS
    spool = SourceTable("spool", {"xml": "", "created_at": None}, OF)
    wanted = SourceTable("archive_prefs", {"def": "always", "always": "[]", "never": "[]"}, OF)
    return [
        Attached(kinds[r.OfflineMessage], (spool,), ("spool.seq",), each_row(kinds[r.OfflineMessage], _offline)),
        Attached(
            kinds[r.Archived],
            (SourceTable("archive", ARCHIVE, OF),),
            ("archive.timestamp", "archive.id"),
            _archive,
            others='"archive"."username" NOT LIKE \'%@%\'',  # which are rooms
        ),
        Attached(kinds[r.ArchivePreferences], (wanted,), (), each_row(kinds[r.ArchivePreferences], _preferences)),
    ]


def archived(rows: Iterator[Row], room: str = "") -> Iterator[r.Archived | r.LeftOut]:
    """The items of the archive of an account, or of a `room`.

    The id is the time in microseconds, as ejabberd's clients know it; a second message of one microsecond gets a suffix. A row that comes
    again is passed over: export2sql writes those of rooms twice.
    """
    last, texts = -1, list[str]()
    for row in rows:
        try:
            when = int(row["timestamp"])
            texts = texts if when == last else []
            last = when
            if row["xml"] in texts:
                continue
            texts.append(row["xml"])
            stanza = _stanza(row["xml"])
        except ValueError as e:
            yield r.LeftOut(r.KINDS[r.Archived], str(e))
            continue
        if room:
            _send_from(room, row["nick"], stanza)
        partner = "" if room else row["bare_peer"]
        yield r.Archived(f"{when}-{len(texts)}" if len(texts) > 1 else str(when), when / MICROSECONDS, partner, stanza)


def _send_from(room: str, nick: str, stanza: Element) -> None:
    """Make it what the room has sent. ejabberd archives what the occupant has."""
    stanza.attrib.pop("to", None)
    stanza.set("from", f"{room}/{nick}" if nick else room)
    stanza.set("type", "groupchat")
    for child in stanza.findall(_MUC_USER):
        stanza.remove(child)


def _stanza(text: str) -> Element:
    if text and not text.lstrip().startswith("<"):
        raise ValueError(COMPRESSED)
    stanza = parsed(text)
    for child in stanza.findall(_ARCHIVED):
        stanza.remove(child)
    return stanza


def _archive(_: SourceAccount, rows: Iterator[Row]) -> Iterator[r.AccountPart]:
    yield from archived(rows)


def _offline(row: Row) -> Iterator[r.AccountPart]:
    message = _stanza(row["xml"])
    when = time_of(row["created_at"]) or 0.0
    for delay in message.findall(_DELAY):
        if delay.text == _OFFLINE:
            message.remove(delay)
            when = parse_datetime(delay.get("stamp", ""))
    yield r.OfflineMessage(message, when)


def _preferences(row: Row) -> Iterator[r.AccountPart]:
    if row["def"] not in ("always", "never", "roster"):
        raise ValueError(f"{row['def'][:40]!r} is not a word for which messages are archived")
    always, never = (tuple(map(address, parse_term(row[name]))) for name in ("always", "never"))
    yield r.ArchivePreferences(row["def"], always, never)


def address(term: Term) -> str:
    """The address of `{User, Server, Resource}`, or of a record `{jid, User, Server, Resource, …}`. Raises BadTerm, ValueError."""
    parts = term[1:4] if isinstance(term, tuple) and term[:1] == ("jid",) else term
    if not isinstance(parts, tuple) or len(parts) != 3:
        raise ValueError("an address was expected")
    local, domain, resource = map(text_of, parts)
    bare = f"{local}@{domain}" if local else domain
    return f"{bare}/{resource}" if resource else bare
