"""One attempt to POST a stanza to a callback's URL: the answer for the sender, a temporary failure or a final one."""

from __future__ import annotations

import logging
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError, reason_phrase, stanza_error
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jsonmap import Unmappable
from xmpp_rest.service.callbacks.delivery import Delivery
from xmpp_rest.service.callbacks.http_post import Unreachable, Webhook
from xmpp_rest.service.callbacks.reply import Response, error_for, reply_to

log = logging.getLogger(__name__)
MAX_DATE = 64  # characters of a date that are looked at


class Attempt(NamedTuple):
    """What came of it: a stanza for the sender, None for nothing.

    `failed`: why the URL did not take the stanza, "" if it did. `again`: whether another attempt may be worth it, but not before
    `retry_after` seconds. `blame`: it is the stanza that is wrong, so that its sender alone is to know. `empty`: the reply says nothing
    and is not due; it can be left out.
    """

    reply: Element | None
    failed: str = ""
    again: bool = False
    retry_after: float = 0.0
    blame: bool = False
    empty: bool = False


def attempt(webhook: Webhook, delivery: Delivery, name: str) -> Attempt:
    """POST a stanza once; `name` is the callback's, for the log."""
    try:
        response = webhook.post(delivery.stanza, delivery.id)
    except (Unmappable, BadXML) as e:  # anybody can send a broken JSON container
        log.warning("callback %s: a stanza from %s has no such form: %s", name, delivery.sender, e)
        return Attempt(error_for(delivery.stanza, stanza_error("bad-request", str(e))), f"it cannot be written: {e}", blame=True)
    except Unreachable as e:
        log.warning("callback %s: a stanza from %s was not delivered: %s", name, delivery.sender, e)
        return Attempt(error_for(delivery.stanza, StanzaError("wait", "recipient-unavailable", str(e))), str(e), again=True)
    return _answered(response, delivery, name)


def _answered(response: Response, delivery: Delivery, name: str) -> Attempt:
    reply = reply_to(delivery.stanza, response)
    if reply.unreadable:
        log.warning("callback %s: the body of a %d was passed over: %s", name, response.status, reply.unreadable)
    if not reply.failed:
        return Attempt(reply.stanza, empty=reply.empty)
    reason = f"{response.status} {reason_phrase(response.status)}"
    return Attempt(reply.stanza, reason, again=True, retry_after=retry_after(response.retry_after))


def retry_after(field: str | None) -> float:
    """The seconds that a Retry-After field asks to wait, as a number or as a date (RFC 9110 §10.2.3); 0 for none, or for nonsense."""
    text = (field or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text[:MAX_DATE]).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError, IndexError):  # whatever the parser of e-mail makes of it
        return 0.0
