"""Payloads of the messages with which a MUC Light room announces changes (XEP Multi-User Chat Light §4.2, §5.2, §5.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC_LIGHT
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.muclight.room import NewAffiliation

AFFILIATIONS = f"{{{MUC_LIGHT}#affiliations}}"
BLOCKING = f"{{{MUC_LIGHT}#blocking}}"
CONFIGURATION = f"{{{MUC_LIGHT}#configuration}}"
CREATE = f"{{{MUC_LIGHT}#create}}"
DESTROY = f"{{{MUC_LIGHT}#destroy}}"
INFO = f"{{{MUC_LIGHT}#info}}"


def affiliations(changes: Iterable[NewAffiliation], version: str = "", previous: str = "") -> list[Element]:
    """The children of a message about changed affiliations."""
    x = make(f"{AFFILIATIONS}x", *versions(AFFILIATIONS, version, previous), *users(AFFILIATIONS, changes))
    return [x, child("body")]


def configuration(fields: Mapping[str, str], version: str, previous: str) -> list[Element]:
    """The children of a message about changed fields of the configuration."""
    x = make(f"{CONFIGURATION}x", *versions(CONFIGURATION, version, previous), *config(CONFIGURATION, fields))
    return [x, child("body")]


def destruction(user: JID) -> list[Element]:
    """The children of the message that tells one occupant that the room was destroyed."""
    changed, body = affiliations([NewAffiliation(user, "none")])
    return [changed, child(f"{DESTROY}x"), body]


def versions(namespace: str, version: str, previous: str = "") -> list[Element]:
    """`<prev-version/>` and `<version/>`, those that are not empty."""
    rows = (("prev-version", previous), ("version", version))
    return [child(f"{namespace}{name}", text) for name, text in rows if text]


def users(namespace: str, changes: Iterable[NewAffiliation]) -> list[Element]:
    return [child(f"{namespace}user", str(user), affiliation=affiliation) for user, affiliation in changes]


def config(namespace: str, fields: Mapping[str, str]) -> list[Element]:
    return [child(f"{namespace}{name}", value) for name, value in fields.items()]
