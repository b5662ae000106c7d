"""`Send-At` and `Delay`: when a message of /rest is to be sent (hooks §17)."""

from __future__ import annotations

import time
from typing import NoReturn

from flask import Response

from xmpp_rest.api.own_address import base_path
from xmpp_rest.api.rest.addressing import Addressed
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.idempotent import STANZA_ID
from xmpp_rest.api.rest.limited import LimitedResource
from xmpp_rest.api.rest.time_fields import wanted_time
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import JSON
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.service.scheduled.scheduled import StanzaToSchedule
from xmpp_rest.service.scheduled.times import FORMS, BadTime, read_time


def time_of(resource: LimitedResource) -> float | None:
    """The time (Unix time) at which the request is to be sent; None: at once. Stop with an error for any other text."""
    text = wanted_time(resource.request)
    if not text:
        return None
    now = time.time()
    try:
        at = read_time(text, now, resource.gateway.settings.limits.schedule_days)
    except BadTime as e:
        resource.fail(failure("schedule_time", error=str(e), remedy=f"write {FORMS}"))
    return at if at > now else None


def to_schedule(resource: LimitedResource, addressed: Addressed, *, is_id_given: bool) -> StanzaToSchedule:
    """The message, if it is one; Stop with an error."""
    if addressed.stanza.tag != "message":
        resource.fail(failure("schedule_kind", error=f"the stanza is {addressed.stanza.tag}"))
    return StanzaToSchedule(*addressed, is_id_given, resource.caller.kind is CallerKind.COMPONENT)


def schedule(resource: LimitedResource, addressed: Addressed, at: float, *, is_id_given: bool) -> NoReturn:
    """Schedule the message, and stop with the answer. Raises GatewayError, BadXML."""
    wanted = to_schedule(resource, addressed, is_id_given=is_id_given)
    due = resource.gateway.parts.scheduled.schedule_stanza(wanted, at)
    identifier = addressed.stanza.attrib["id"]
    said = {"id": due.id, "at": write_datetime(due.at), "stanza_id": identifier}
    response = Response(dump_json(said), 202, content_type=JSON)
    response.headers["Location"] = f"{base_path(resource.request, resource.gateway)}/rest/scheduled/{due.id}"
    if identifier.isascii() and identifier.isprintable():
        response.headers[STANZA_ID] = identifier
    raise Stop(response)
