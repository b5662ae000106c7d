"""vCards (commands-api §12)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.api.commands.errors import internal_error, rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.service.accounts.vcards import tag, values


def _in_xml(run: Callable[..., Any]) -> Callable[..., Any]:
    """Names of fields and texts that XML cannot hold are the caller's mistake."""

    @wraps(run)
    def checked(*args: Any) -> Any:
        try:
            return run(*args)
        except BadXML as e:
            raise rejected(str(e)) from e

    return checked


def _values(services: Services, user: str, host: str, name: str, subname: str = "") -> list[str]:
    card = services.parts.vcards.get(services.address(user, host))
    if card is None:
        raise rejected("error_no_vcard_found")
    found = values(card, name, subname)
    if not found:
        raise rejected("error_no_value_found_in_vcard")
    return found


@command("get_vcard")
@_in_xml
def get_vcard(services: Services, user: str, host: str, name: str) -> str:
    return _values(services, user, host, name)[0]


@command("get_vcard2")
@_in_xml
def get_vcard2(services: Services, user: str, host: str, name: str, subname: str) -> str:
    return _values(services, user, host, name, subname)[0]


@command("get_vcard2_multi")
@_in_xml
def get_vcard2_multi(services: Services, user: str, host: str, name: str, subname: str) -> list[str]:
    return _values(services, user, host, name, subname)


@command("set_vcard")
@_in_xml
def set_vcard(services: Services, user: str, host: str, name: str, content: str) -> bool:
    services.parts.vcards.set_field(services.address(user, host), name, content)
    return True


@command("set_vcard2")
@_in_xml
def set_vcard2(services: Services, user: str, host: str, name: str, subname: str, content: str) -> bool:
    services.parts.vcards.set_values(services.address(user, host), name, subname, [content])
    return True


@command("set_vcard2_multi")
@_in_xml
def set_vcard2_multi(services: Services, user: str, host: str, name: str, subname: str, contents: list[str]) -> bool:
    if not contents:
        raise internal_error("contents: write at least one value")  # COMPAT ejabberd
    services.parts.vcards.set_values(services.address(user, host), name, subname, contents)
    return True


@command("set_nickname")
@_in_xml
def set_nickname(services: Services, user: str, host: str, nickname: str) -> bool:
    """COMPAT ejabberd: the rest of the vCard goes."""
    card = Element(tag("vCard"))
    SubElement(card, tag("NICKNAME")).text = nickname
    services.parts.vcards.store(services.address(user, host), card)
    return True


COMMANDS = (get_vcard, get_vcard2, get_vcard2_multi, set_vcard, set_vcard2, set_vcard2_multi, set_nickname)
