"""Private XML storage of accounts (XEP-0049; the store `private` in Prosody's form: `NAME:NAMESPACE` → element)."""

from __future__ import annotations

import logging
from xml.etree.ElementTree import Element

from drivers import Driver, StorageError, Table
from drivers.stanzas import stanza_table, stanza_text
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_text

log = logging.getLogger("xmpp_rest.storage")

PRIVATE = "private"  # the store


def key(element: Element) -> str:
    """The key of an element. Raises BadXML for one without a namespace of its own (XEP-0049 §3)."""
    namespace, brace, name = element.tag[1:].partition("}")
    if not brace:
        raise BadXML("private data needs a namespace of its own")
    return f"{name}:{namespace}"


class PrivateStorage:
    """The private data of accounts. Methods raise StorageError and BadXML."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def get(self, jid: JID, name: str, namespace: str) -> Element:
        """The element of this name and namespace; an empty one if nothing is stored."""
        wanted = Element(f"{{{namespace}}}{name}")
        serialise(wanted)  # raises for an invalid name
        kept = self._driver.load(jid.local, jid.domain, PRIVATE)
        table = kept.get(key(wanted)) if isinstance(kept, dict) else None
        if not table:
            return wanted
        try:
            return parse_text(stanza_text(table))
        except (StorageError, BadXML) as e:  # the account may write anything to its store
            log.info("the store %s of %s holds no element for %s: %s", PRIVATE, jid, key(wanted), e)
            return wanted

    def set(self, jid: JID, element: Element) -> None:
        """Replace the element of the same name; an empty element removes it."""
        name, table = key(element), stanza_table(serialise(element))

        def step(kept: Table | None) -> Table:
            others = {k: v for k, v in kept.items() if k != name} if isinstance(kept, dict) else {}
            return others | {name: table} if table.get("__array") else others

        self._driver.update(jid.local, jid.domain, PRIVATE, step)
