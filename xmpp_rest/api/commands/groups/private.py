"""Private storage and privacy lists (commands-api §12)."""

from __future__ import annotations

import logging
from xml.etree.ElementTree import Element

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.privacy import PrivacyError

log = logging.getLogger("xmpp_rest.storage")
QUERY = "{jabber:iq:private}query"  # XEP-0049


@command("private_get")
def private_get(services: Services, user: str, host: str, element: str, ns: str) -> str:
    query = Element(QUERY)
    try:
        query.append(services.private.get(services.address(user, host), element, ns))
    except BadXML as e:
        raise rejected(str(e)) from e
    return serialise(query)


@command("private_set")
def private_set(services: Services, user: str, host: str, element: str) -> bool:
    try:
        services.private.set(services.address(user, host), parse_text(element))
    except BadXML:
        return False  # COMPAT ejabberd: status 200 all the same
    return True


@command("bookmarks_to_pep")
def bookmarks_to_pep(services: Services, user: str, host: str) -> str:
    stored = services.private.get(services.address(user, host), "storage", "storage:bookmarks")
    if not len(stored):
        raise rejected("Cannot retrieve bookmarks from private XML storage")
    raise rejected("There is no personal eventing (XEP-0163) that they could be moved to")


@command("privacy_set")
def privacy_set(services: Services, user: str, host: str, xmlquery: str) -> bool:
    """What the account could say itself, in an iq of type set (XEP-0016)."""
    owner = services.address(user, host)
    try:
        services.parts.privacy.set(owner, parse_text(xmlquery))
    except (BadXML, PrivacyError) as e:
        log.info("the privacy lists of %s stay as they are: %s", owner, e)
        return False
    return True


COMMANDS = (private_get, private_set, bookmarks_to_pep, privacy_set)
