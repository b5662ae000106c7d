"""An ejabberd database as a source of an import."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.importing import records as r
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.ejabberd import rooms
from xmpp_rest.importing.ejabberd.credentials import BAN, BANNED, COLUMNS, credentials
from xmpp_rest.importing.ejabberd.groups import shared_groups
from xmpp_rest.importing.ejabberd.messages import message_tables
from xmpp_rest.importing.ejabberd.published import published_tables
from xmpp_rest.importing.sources import BadSource, ImportSource
from xmpp_rest.importing.sql.account_tables import account_tables
from xmpp_rest.importing.sql.accounts import USERS, AccountRows
from xmpp_rest.importing.sql.database import Database, SourceTable, count, select
from xmpp_rest.importing.sql.share import Share, closing_at_end

HOST = "server_host"
NO_PLACE = {
    "motd": "messages of the day must be set again (announce_motd_update)",
    "oauth_token": "tokens must be issued again",
    "oauth_client": "clients must be registered again",
    "push_session": "clients enable push notifications again by themselves",
    "mix_channel": "there are no MIX channels here",
    "mix_pam": "there are no MIX channels here",
    "mqtt_pub": "there is no MQTT here",
    "invite_token": "invitations must be issued again",
}
"""Tables that have no place here; other ones are derived, or of the running server alone."""
TABLES = frozenset((
    USERS, "rosterusers", "rostergroups", "vcard", "private_storage", "privacy_list", "privacy_default_list", "privacy_list_data", "last",
    "spool", "archive", "archive_prefs", "pubsub_node", "pubsub_node_option", "pubsub_state", "pubsub_item", "muc_room",
    "muc_room_subscribers", "muc_registered", "sr_group", "sr_user", *NO_PLACE,
))  # fmt: skip
"""All that is read."""


def open_ejabberd(database: Database, domains: Domains) -> ImportSource:
    """The source of this database. Raises BadSource."""
    if not {"username", "password"} <= database.columns(USERS):
        raise BadSource("this is not a database of ejabberd: it has no table users with the columns username and password")
    named = HOST in database.columns(USERS)
    domain = "" if named else _the_domain(database, domains)
    attached = [*account_tables(HOST, without=BANNED), *message_tables(), *published_tables(domain, named=named)]
    accounts = AccountRows(database, HOST, domain, attached)
    share = Share(accounts.size() + rooms.size(database))
    return ImportSource(closing_at_end(database, share.counted(_entities(database, accounts, domain))), share.share)


def _entities(database: Database, accounts: AccountRows, domain: str) -> Iterator[r.Entity]:
    order = ("users.type",)
    yield from accounts.entities(COLUMNS, credentials, [BAN], order)
    yield from accounts.without_account()
    yield from rooms.rooms(database)
    yield from rooms.without_room(database)
    yield from rooms.reserved_nicks(database)
    yield from shared_groups(database, domain)
    for table, reason in NO_PLACE.items():
        if number := count(database, [SourceTable(table)]):
            yield r.Unreadable("the database", f"{table} ({number} rows)", reason)
    if number := count(database, [SourceTable("pubsub_node")], '"pubsub_node"."host" NOT LIKE \'%@%\''):
        yield r.Unreadable("the database", f"pubsub_node ({number} rows)", "there is no publish-subscribe service here, but for accounts")


def _the_domain(database: Database, domains: Domains) -> str:
    """The domain of an old database, which holds one and does not name it: the one renamed that is not a domain of rooms."""
    wanted = SourceTable("muc_room", {"host": ""}, distinct=("host",))
    hosts = {row["host"] for row in select(database, [wanted])}
    left = domains.renamed.keys() - hosts
    if len(left) == 1:
        return next(iter(left))
    raise BadSource("this database does not name the domain of its accounts: say it with --domain OLD=NEW")
