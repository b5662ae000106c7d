"""A MongooseIM database as a source of an import."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.importing import records as r
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.mongooseim import rooms
from xmpp_rest.importing.mongooseim.addresses import has_full_addresses
from xmpp_rest.importing.mongooseim.credentials import BLOCKLIST, COLUMNS, credentials
from xmpp_rest.importing.mongooseim.messages import message_tables
from xmpp_rest.importing.sources import BadSource, ImportSource
from xmpp_rest.importing.sql.account_tables import account_tables
from xmpp_rest.importing.sql.accounts import USERS, AccountRows
from xmpp_rest.importing.sql.database import Database, SourceTable, count
from xmpp_rest.importing.sql.share import Share, closing_at_end

HOST = "server"
NO_PLACE = {
    "inbox": "there is no inbox here; its messages are in the archive",
    "smart_markers": "chat markers are in the archive",
    "offline_markers": "chat markers are in the archive",
    "pubsub_nodes": "published items are not read from MongooseIM: clients publish them again",
    "pubsub_node": "published items are not read from MongooseIM: clients publish them again",
    "event_pusher_push_subscription": "clients enable push notifications again by themselves",
    "auth_token": "tokens must be issued again",
    "fast_auth_token": "tokens must be issued again",
    "domain_admins": "administrators are named in [auth]",
}
"""Tables that have no place here; other ones are derived, or of the running server alone."""
TABLES = frozenset((
    USERS, "blocklist", "rosterusers", "rostergroups", "vcard", "private_storage", "privacy_list", "privacy_default_list",
    "privacy_list_data", "last", "offline_message", "mam_message", "mam_config", "mam_server_user", "mam_muc_message", "muc_light_rooms",
    "muc_light_occupants", "muc_light_config", "muc_light_blocking", "muc_rooms", "muc_room_aff", "muc_registered", *NO_PLACE,
))  # fmt: skip
"""All that is read."""
_ARCHIVES = "SELECT s.id FROM mam_server_user s JOIN"
_OF_ACCOUNTS = f"{_ARCHIVES} users u ON u.server = s.server AND u.username = s.user_name"
_OF_ROOMS = {
    "muc_light_rooms": f"{_ARCHIVES} muc_light_rooms l ON l.lserver = s.server AND l.luser = s.user_name",
    "muc_rooms": f"{_ARCHIVES} muc_rooms m ON m.muc_host = s.server AND m.room_name = s.user_name",
}


def open_mongooseim(database: Database, domains: Domains) -> ImportSource:
    """The source of this database. Raises BadSource."""
    if not {"username", "pass_details", HOST} <= database.columns(USERS):
        raise BadSource("this is not a database of MongooseIM: it has no table users with the columns username, server and pass_details")
    attached = [*account_tables(HOST), *message_tables(full_addresses=has_full_addresses(database))]
    accounts = AccountRows(database, HOST, "", attached)
    share = Share(accounts.size() + rooms.size(database))
    return ImportSource(closing_at_end(database, share.counted(_entities(database, accounts, domains))), share.share)


def _entities(database: Database, accounts: AccountRows, domains: Domains) -> Iterator[r.Entity]:
    yield from accounts.entities(COLUMNS, credentials, [BLOCKLIST])
    yield from accounts.without_account()
    yield from rooms.light_rooms(database, domains)
    yield from rooms.light_blocks(database)
    yield from rooms.rooms(database)
    yield from rooms.reserved_nicks(database)
    yield from _orphans(database)
    for table, reason in NO_PLACE.items():
        if number := count(database, [SourceTable(table)]):
            yield r.Unreadable("the database", f"{table} ({number} rows)", reason)


def _orphans(database: Database) -> Iterator[r.Unreadable]:
    """Archives of accounts and rooms that are not in the database."""
    if not database.columns("mam_server_user"):
        return
    rooms = [f"mam_muc_message.room_id NOT IN ({ids})" for table, ids in _OF_ROOMS.items() if database.columns(table)]
    accounts = f"mam_message.user_id NOT IN ({_OF_ACCOUNTS})"
    for table, where, whose in (("mam_message", accounts, "accounts"), ("mam_muc_message", " AND ".join(rooms), "rooms")):
        if number := count(database, [SourceTable(table)], where):
            yield r.Unreadable("the database", r.KINDS[r.Archived], f"{number} messages are of {whose} that do not exist any more")
