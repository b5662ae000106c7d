"""What came of one POST to a callback's URL: an answer for the sender, or a failure that may be over in a while?"""

from __future__ import annotations

import logging
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError, reason_phrase, stanza_error
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jsonmap import Unmappable
from xmpp_rest.protocol.stanza import may_be_refused, refusal
from xmpp_rest.service.callback_reply import Response, reply_to
from xmpp_rest.service.delivery import Delivery
from xmpp_rest.service.webhook import Unreachable, Webhook

log = logging.getLogger(__name__)


class Attempt(NamedTuple):
    """The stanza for the sender, None for nothing. `failed`: why another attempt may be worth it, "" if it is not.

    Another one should not come before `retry_after` seconds.
    """

    reply: Element | None
    failed: str = ""
    retry_after: float = 0.0


def attempt(webhook: Webhook, delivery: Delivery, name: str) -> Attempt:
    """POST a stanza once; `name` is the callback's, for the log."""
    try:
        response = webhook.post(delivery.stanza, delivery.id)
    except Unmappable as e:  # anybody can send a broken JSON container
        log.warning("callback %s: a stanza from %s has no such form: %s", name, delivery.sender, e)
        return Attempt(_refusal(delivery, stanza_error("bad-request", str(e))))
    except BadXML as e:
        log.warning("callback %s: a stanza from %s cannot be written: %s", name, delivery.sender, e)
        return Attempt(_refusal(delivery, stanza_error("bad-request", str(e))))
    except Unreachable as e:
        log.warning("callback %s: a stanza from %s was not delivered: %s", name, delivery.sender, e)
        return Attempt(_refusal(delivery, StanzaError("wait", "recipient-unavailable", str(e))), str(e))
    return _answered(response, delivery, name)


def _answered(response: Response, delivery: Delivery, name: str) -> Attempt:
    reply = reply_to(delivery.stanza, response)
    if reply.unreadable:
        log.warning("callback %s: the body of a %d was passed over: %s", name, response.status, reply.unreadable)
    if not reply.failed:
        return Attempt(reply.stanza)
    return Attempt(reply.stanza, f"{response.status} {reason_phrase(response.status)}", retry_after(response.retry_after))


def _refusal(delivery: Delivery, error: StanzaError) -> Element | None:
    return refusal(delivery.stanza, error) if may_be_refused(delivery.stanza) else None


def retry_after(field: str | None) -> float:
    """The seconds that a Retry-After field asks to wait, as a number or as a date (RFC 9110 §10.2.3); 0 for none, or for nonsense."""
    text = (field or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
