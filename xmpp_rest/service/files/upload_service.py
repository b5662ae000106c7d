"""The upload service: service discovery, and slots on request (XEP-0363; files §4.1)."""

from __future__ import annotations

import re
import time
from xml.etree.ElementTree import Element, SubElement

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Handler, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, StanzaRefused
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.forms import FORM, field
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, UPLOAD
from xmpp_rest.protocol.stanza import child, is_request, make, refusal, result
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.service.files.values import Slot

REQUEST, INFO = f"{{{UPLOAD}}}request", f"{{{DISCO_INFO}}}query"
IDENTITY = ("store", "file", "xmpp-rest")
_SIZE = re.compile("0*([1-9][0-9]*)")
DIGITS = 19  # of a size that are read: all numbers that have so many are too large
FULL = ("wait", "resource-constraint")
CONDITIONS = {403: ("auth", "forbidden"), 413: ("modify", "not-acceptable"), 429: FULL, 507: FULL}
"""Status of HTTP → type and condition of the error; another one is internal-server-error."""


class UploadService:
    """Two handlers for the router, of iqs to the service's domain. Who may not upload sees nothing of it."""

    def __init__(self, files: FileService, domain: str, entity: Handler) -> None:
        """`entity`: what answers service discovery for the domain."""
        self._files = files
        self._domain = JID("", domain, "")
        self._entity = entity

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer a request for a slot; NOT_MINE for anything else. Raises StorageError."""
        if to != self._domain or not is_request(stanza) or stanza.get("type") != "get" or len(stanza) != 1 or stanza[0].tag != REQUEST:
            return NOT_MINE
        try:
            self._files.require_access(sender)
            return result(stanza, self._slot(sender, stanza[0]))
        except StanzaRefused as e:
            return refusal(stanza, e.error)
        except FileRefused as e:
            return _refused(stanza, e)
        except GatewayError as e:
            return refusal(stanza, StanzaError(e.row.type, e.row.condition, e.text))

    def _slot(self, sender: JID, request: Element) -> Element:
        """Raises StanzaRefused, FileRefused, GatewayError."""
        name, size = request.get("filename", ""), request.get("size", "")
        if not name.strip():
            raise StanzaRefused("bad-request", "filename is missing")
        if (digits := _SIZE.fullmatch(size)) is None:
            raise StanzaRefused("bad-request", "size must be a number of bytes, above 0")
        slot = self._files.give_slot(sender, name, int(digits[1][:DIGITS]), request.get("content-type", "")[:255])
        return self._described(slot)

    def _described(self, slot: Slot) -> Element:
        url = self._files.url_of(slot.id, slot.name)
        field_of_put = child(f"{{{UPLOAD}}}header", f"Bearer {self._files.token_of(slot)}", name="Authorization")
        put = make(f"{{{UPLOAD}}}put", field_of_put, url=url)
        return make(f"{{{UPLOAD}}}slot", put, child(f"{{{UPLOAD}}}get", url=url))

    def handle_discovery(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """What the domain's entity answers; to those that may upload with what this service is. Raises StorageError."""
        answer = self._entity(stanza, sender, to)
        if to != self._domain or not isinstance(answer, Element) or answer.get("type") != "result" or len(answer) != 1:
            return answer
        query = answer[0]
        if query.tag != INFO or not self._may(sender):
            return answer
        category, kind, name = IDENTITY
        query.append(make(f"{{{DISCO_INFO}}}identity", category=category, type=kind, name=name))
        query.append(child(f"{{{DISCO_INFO}}}feature", var=UPLOAD))
        bound = field(str(self._files.max_size), var="max-file-size")
        query.append(make(f"{FORM}x", field(UPLOAD, var="FORM_TYPE", type="hidden"), bound, type="result"))
        return answer

    def _may(self, sender: JID) -> bool:
        try:
            return self._files.access.may(sender)
        except StorageError:  # then it is found out another time: the rest of the answer is good
            return False


def _refused(stanza: Element, error: FileRefused) -> Element:
    """The error that a client of XEP-0363 understands."""
    kind, condition = CONDITIONS.get(error.status, ("wait", "internal-server-error"))
    answer = refusal(stanza, StanzaError(kind, condition, error.detail))
    if error.status == 413:
        large = SubElement(answer[0], f"{{{UPLOAD}}}file-too-large")
        SubElement(large, f"{{{UPLOAD}}}max-file-size").text = str(error.members["max_size"])
    elif condition == "resource-constraint" and error.retry_after is not None:
        SubElement(answer[0], f"{{{UPLOAD}}}retry", stamp=write_datetime(int(time.time()) + error.retry_after))
    return answer
