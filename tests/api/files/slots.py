"""What tests ask of the upload service."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element

from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import STANZA_ERRORS, UPLOAD
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.files.values import StoredFile

JULIET = f"juliet@{DOMAIN}"


class PutSlot(NamedTuple):
    """The path of a slot, and the field that lets in its upload."""

    path: str
    fields: dict[str, str]


def asked(gateway: Gateway, payload: str, sender: str = f"{JULIET}/balcony", to: str = DOMAIN, kind: str = "get") -> Element:
    """The answer to an iq."""
    answer = gateway.parts.router.deliver(
        parse_stored(f"<iq type='{kind}' id='1' from='{sender}' to='{to}'>{payload}</iq>"), parse_jid(sender), parse_jid(to)
    )
    assert answer is not None
    return answer


def request(size: int | str, name: str = "rose.png", kind: str = "image/png") -> str:
    """The payload that asks for a slot."""
    of_type = f" content-type='{kind}'" if kind else ""
    return f"<request xmlns='{UPLOAD}' filename='{name}' size='{size}'{of_type}/>"


def slot(gateway: Gateway, size: int, name: str = "rose.png", kind: str = "image/png", sender: str = f"{JULIET}/balcony") -> PutSlot:
    """A slot of this size."""
    put = asked(gateway, request(size, name, kind), sender).find(f".//{{{UPLOAD}}}put")
    assert put is not None
    url, header = put.get("url", ""), put[0]
    assert header.get("name") == "Authorization"
    return PutSlot(url[url.index("/files/") :], {"Authorization": header.text or ""} | ({"Content-Type": kind} if kind else {}))


def condition(answer: Element) -> tuple[str, str]:
    """Type and condition of an error."""
    error = answer.find("error")
    assert error is not None
    name = next(c.tag for c in error if c.tag.startswith(f"{{{STANZA_ERRORS}}}") and not c.tag.endswith("}text"))
    return error.get("type", ""), name.partition("}")[2]


def stored(gateway: Gateway, content: bytes, name: str = "rose.png", kind: str = "image/png", owner: str = JULIET) -> StoredFile:
    """A file in the store."""
    with gateway.parts.files.begin(parse_jid(owner), name, kind, size=len(content)) as upload:
        upload.write(content)
        return upload.commit()


def path_of(gateway: Gateway, file: StoredFile) -> str:
    """Its path in a URL."""
    url = gateway.parts.files.url_of(file.id, file.name)
    return url[url.index("/files/") :]
