"""Renders errors for /rest in mod_rest's three forms (rest-api §10)."""

from __future__ import annotations

import html
import json
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.errors import ERRORS, UNSURE, GatewayError
from xmpp_rest.protocol.codecs import XMPP_XML
from xmpp_rest.protocol.conditions import prosody_phrase
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.namespaces import STREAM_ERRORS, STREAMS
from xmpp_rest.request_notes import current_id, new_id
from xmpp_rest.service.rooms.refused import RoomRefused

JSON = "application/json"
HTML = "text/html"
SOURCE = "xmpp-rest"
OF_STATUS = {401: "noauthz", 403: "unauthz", 413: "size", 415: "mediatype", 429: "throttled"}
"""Which error the state machine means when it ends a request with one of these."""


class RestFailure(NamedTuple):
    """An error to render. `own`: of the table above, with code and source inside, as mod_rest's own errors have them."""

    status: int
    type: str = ""
    condition: str = ""  # "": a status with no error object behind it
    text: str = ""
    own: bool = False
    context: dict[str, Any] | None = None
    unsure: bool = False  # what was asked may have been done
    by: str = ""  # the room, or the address in it, that has refused
    location: str = ""  # where a destroyed room is now
    retry_after: int | None = None  # seconds


def failure(name: str, **context: Any) -> RestFailure:
    """The error of that name, with details for debugging a client."""
    row = ERRORS[name]
    return RestFailure(row.status, row.type, row.condition, row.text, own=True, context=context)


def failure_of_status(status: int, **context: Any) -> RestFailure:
    """The error that the state machine's status stands for."""
    return failure(OF_STATUS[status], **context) if status in OF_STATUS else RestFailure(status)


def failure_of(error: GatewayError) -> RestFailure:
    """A service's error."""
    if isinstance(error, RoomRefused):
        return RestFailure(error.status, *error.error[:3], by=error.by, location=error.location, retry_after=error.retry_after)
    kind = error.row
    unsure = error.name in UNSURE
    return RestFailure(kind.status, kind.type, kind.condition, error.text, unsure=unsure, by=error.by, retry_after=error.retry_after)


def render(error: RestFailure, accept: str) -> tuple[bytes, str]:
    """Body and media type, in the form whose name comes first in the Accept field; JSON where it names none of the three."""
    places = {form: accept.find(form) for form in (HTML, XMPP_XML, JSON)}
    named = {form: place for form, place in places.items() if place >= 0}
    form = min(named, key=named.__getitem__) if named else JSON
    return _FORMS[form](error), form


def error_object(error: RestFailure) -> dict[str, Any]:
    """What is wrong, as JSON has it inside `error`."""
    inner: dict[str, Any] = {"type": error.type, "condition": error.condition, "text": error.text}
    if error.own:
        inner |= {"code": error.status, "source": SOURCE}
    if error.by:
        inner |= {"code": error.status, "by": error.by} | ({"location": error.location} if error.location else {})
    return inner | {"instance_id": current_id() or new_id(), "context": error.context or {}}


def _json(error: RestFailure) -> bytes:
    body: dict[str, Any] = {"type": "error", "code": error.status}
    if error.condition:
        body["error"] = error_object(error)
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _xml(error: RestFailure) -> bytes:
    element = Element(f"{{{STREAMS}}}error")
    if error.condition:
        SubElement(element, f"{{{STREAM_ERRORS}}}{error.condition}")
        SubElement(element, f"{{{STREAM_ERRORS}}}text").text = error.text
    return serialise(element).encode()


def _html(error: RestFailure) -> bytes:
    title = html.escape(f"{error.status} {prosody_phrase(error.status)}")
    text = html.escape(error.text)
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>\n".encode()


_FORMS = {HTML: _html, XMPP_XML: _xml, JSON: _json}
