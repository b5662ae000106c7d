"""What accounts have published (XEP-0163), in ejabberd's tables `pubsub_node`, `pubsub_node_option`, `pubsub_state` and `pubsub_item`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from xmpp_rest.importing import records as r
from xmpp_rest.importing.erlang.terms import Atom, BadTerm, Term, text_of
from xmpp_rest.importing.erlang.text import parse_term
from xmpp_rest.importing.sql.account_tables import parsed
from xmpp_rest.importing.sql.accounts import Attached, SourceAccount, each_row
from xmpp_rest.importing.sql.database import Row, SourceTable

_AFFILIATIONS = {"o": "owner", "p": "publisher", "u": "publish-only", "m": "member", "c": "outcast"}
_OPTIONS = {
    "access_model": "access_model", "publish_model": "publish_model", "max_items": "max_items", "persist_items": "persist_items",
    "title": "title", "description": "description", "type": "payload_type", "send_last_published_item": "send_last_published_item",
    "deliver_payloads": "include_payload", "notify_delete": "notify_delete", "notify_retract": "notify_retract",
}  # fmt: skip
"""ejabberd's name of an option → the name under which Prosody's mod_pep keeps it; others are not kept there."""
_ACCESS_MODELS = ("open", "presence", "whitelist")  # COMPAT Prosody mod_pep, which has no others
_WORDS = {"true": True, "false": False}


def published_tables(domain: str, *, named: bool) -> list[Attached]:
    """These tables. `named`: the accounts have a column with their domain, which otherwise is `domain`."""
    quoted = domain.replace("'", "''")
    account = "users.username || '@' || " + ("users.server_host" if named else f"'{quoted}'")
    node = SourceTable("pubsub_node", {"node": "", "nodeid": 0}, {"host": account})
    here = {"nodeid": "pubsub_node.nodeid"}
    option = SourceTable("pubsub_node_option", {"name": "", "val": ""}, here, optional=True)
    state = SourceTable("pubsub_state", {"jid": "", "affiliation": "", "subscriptions": ""}, here, optional=True)
    item = SourceTable("pubsub_item", {"itemid": "", "publisher": "", "modification": "", "payload": ""}, here)
    kinds = r.KINDS
    order = ("pubsub_node.nodeid", "pubsub_item.modification", "pubsub_item.itemid")
    return [
        Attached(kinds[r.PepNode], (node, option, state), ("pubsub_node.nodeid",), _nodes, others=None),
        Attached(kinds[r.PepItem], (node, item), order, each_row(kinds[r.PepItem], _item), others=None),
    ]


def _nodes(owner: SourceAccount, rows: Iterator[Row]) -> Iterator[r.AccountPart]:
    for name, same in groupby(rows, lambda row: str(row["node"])):
        config: dict[str, str | bool | int] = {}
        affiliations: dict[str, str] = {}
        subscribers: dict[str, None] = {}
        for row in same:
            config |= _option(row["name"], row["val"])
            if (word := _AFFILIATIONS.get(row["affiliation"])) and row["jid"] != str(owner):
                affiliations[row["jid"]] = word
            if "s:" in row["subscriptions"]:
                subscribers[row["jid"]] = None
        yield r.PepNode(name, config, affiliations, tuple(subscribers))


def _option(name: str, text: str) -> Mapping[str, str | bool | int]:
    kept = _OPTIONS.get(name)
    if kept is None:
        return {}
    try:
        value = _value(parse_term(text))
    except BadTerm:
        return {}
    if name == "access_model" and value not in _ACCESS_MODELS:
        value = "whitelist"  # the nearest one that is not wider
    return {} if value == "" else {kept: value}


def _value(term: Term) -> str | bool | int:
    if isinstance(term, int):
        return term
    word = text_of(term)
    return _WORDS.get(word, word) if isinstance(term, Atom) else word


def _item(row: Row) -> Iterator[r.AccountPart]:
    yield r.PepItem(row["node"], row["itemid"], row["publisher"], parsed(row["payload"]), _time(row["modification"]))


def _time(text: str) -> float | None:
    """The time of `megaseconds:seconds:microseconds`."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    mega, seconds, micro = map(int, parts)
    return mega * 1e6 + seconds + micro / 1e6
