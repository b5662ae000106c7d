"""The HTTP requests of a callback: header fields, URL, body, and the answer, bounded in time, size and connections (rest-api §12)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import logging
import re
import socket
import ssl
import time
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element

from xmpp_rest import __version__
from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.http.encodings import BadEncoding, TooLong, UnknownEncoding, coding_of, decode
from xmpp_rest.protocol.codecs import CODECS, REPLY_TYPES
from xmpp_rest.protocol.languages import language_tag
from xmpp_rest.protocol.namespaces import XML_LANG
from xmpp_rest.protocol.percent import lower_hex
from xmpp_rest.protocol.stanza import make
from xmpp_rest.request_notes import REQUEST_ID
from xmpp_rest.service.callbacks.deadline_connections import MAX_ANSWER, AnswerTooLong, ConnectionRefused, DeadlineConnections, Endpoint
from xmpp_rest.service.callbacks.deadline_socket import SocketWait
from xmpp_rest.threads.crew import poll

log = logging.getLogger("xmpp_rest.callbacks")

PROBE_TIMEOUT = 5.0  # seconds; what waits to be POSTed at the start waits for the probe
_PLACEHOLDER = re.compile(r"\{(?:kind|type|to|from)\}")
_SAFE = "!$%&'()*+,-./:;=?@_~"  # of a path with its query; everything else is percent-encoded (RFC 3986 §3.3, §3.4)
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DEFAULT_TYPE = {"message": "normal", "presence": "available"}


class Unreachable(Exception):
    """The URL gave no answer; the text says why, without naming it."""

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out


def expand(template: str, stanza: Element) -> str:
    """The URL for this stanza: `{kind}`, `{type}`, `{to}` and `{from}` replaced, percent-encoded in lower-case hex."""
    values = {
        "kind": stanza.tag,
        "type": stanza.get("type") or _DEFAULT_TYPE.get(stanza.tag, ""),
        "to": stanza.get("to", ""),
        "from": stanza.get("from", ""),
    }
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", _encode(value))
    return template


def target_of(url: str) -> Endpoint:
    """Where a request to this URL goes. Raises ValueError for a host that cannot be written."""
    parts = urlsplit(url)
    host, secure = (parts.hostname or "").encode("idna").decode("ascii"), parts.scheme == "https"
    named, standard = f"[{host}]" if ":" in host else host, 443 if secure else 80
    port = parts.port or standard
    path = _without_dots(parts.path) + (f"?{parts.query}" if parts.query else "")
    written = lower_hex(quote(_STRAY.sub("%25", path), safe=_SAFE))
    return Endpoint(secure, host, port, written, named if port == standard else f"{named}:{port}")


def _without_dots(path: str) -> str:
    """An absolute path without the segments `.` and `..` (RFC 3986 §5.2.4)."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if path.endswith(("/.", "/..")):
        kept.append("")
    return "/" + "/".join(kept).removeprefix("/")


def _encode(text: str) -> str:
    quoted = lower_hex(quote(text, safe=""))
    return quoted if quoted.strip(".") else quoted.replace(".", "%2e")  # a sender's `..` leads nowhere (RFC 3986 §5.2.4)


def webhook_fields(secret: bytes, identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The header fields of Standard Webhooks 1.0.0: `webhook-id`, the same for every attempt, and `webhook-timestamp`, its Unix time.

    With a secret also `webhook-signature`, HMAC-SHA256 over `id.timestamp.body`.
    """
    fields = {"webhook-id": identifier, "webhook-timestamp": str(timestamp)}
    if secret:
        signed = hmac.digest(secret, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256)
        fields["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return fields


def _basic(user_and_password: str) -> str:
    return f"Basic {base64.b64encode(user_and_password.encode()).decode()}"  # RFC 7617 §2.1


class CallbackAnswer(NamedTuple):
    """What the URL answered."""

    status: int
    content_type: str | None
    language: str | None  # Content-Language
    body: bytes
    retry_after: str | None = None
    accept: str | None = None
    unreadable: str = ""  # why there is no body, though one came


class CallbackClient:
    """The URL of one callback. Safe to be used by several threads."""

    def __init__(self, settings: CallbackSettings, wait: SocketWait = poll) -> None:
        """`wait`: waits for a socket, where requests are made."""
        self.content_type = settings.content_type
        """How stanzas are written; changed by `choose_format`."""
        self._timeout = settings.timeout
        self._secret = settings.secret
        self._may_repeat = settings.keep == "disk" or settings.retries > 0  # else a message comes once at most
        parts = urlsplit(settings.url)
        user, at, host = parts.netloc.rpartition("@")
        self._template = parts._replace(netloc=host).geturl() if at else settings.url
        self._headers = {  # of every request; `post` adds those of a stanza
            "Accept": ", ".join(CODECS),
            "User-Agent": f"xmpp-rest/{__version__}",
        } | ({"Authorization": _basic(unquote(user))} if at else {})
        self._target: Endpoint | None = None  # of every request, where the URL has no placeholder; once it is known
        self._pool = DeadlineConnections(settings.concurrency, wait)

    def post(self, stanza: Element, identifier: str, request_id: str = "") -> CallbackAnswer:
        """POST the stanza and read the answer within the callback's time; redirects are not followed.

        `identifier` and `request_id` (of the request behind it, "" for none) are the same for each attempt. Raises Unreachable;
        and what writing the stanza raises: BadXML, Unmappable.
        """
        content_type = self.content_type
        write = CODECS[content_type].write
        assert write is not None, "settings allow only types that can be written"
        body = write(stanza)
        fields = {"Content-Type": content_type} | ({REQUEST_ID: request_id} if request_id else {})
        fields |= webhook_fields(self._secret, identifier, int(time.time()), body)
        if lang := language_tag(stanza.get(XML_LANG)):  # from a stranger: anything else is not a value of a field
            fields["Content-Language"] = lang
        return self._request("POST", stanza, body, fields, self._timeout)

    def choose_format(self, name: str, domain: str) -> None:
        """Ask by OPTIONS what the URL likes to get, and keep to it; `domain` stands for the gateway.

        Whatever comes of it is logged under the callback's name. Raises nothing.
        """
        meta = make("meta", type_="info", from_=domain, to_=domain)
        try:
            answer = self._request("OPTIONS", meta, None, {}, min(self._timeout, PROBE_TIMEOUT))
        except Unreachable as e:
            log.warning("callback %s: the URL did not answer OPTIONS: %s", name, e)
            return
        except Exception:
            log.exception("callback %s: the probe failed", name)
            return
        named = first_named(answer.accept or "") if answer.status == 200 else None
        self.content_type = named or self.content_type
        why = "as its Accept field says" if named else "as it is set"
        log.info("callback %s: the URL answered OPTIONS with %d; stanzas go as %s, %s", name, answer.status, self.content_type, why)

    def _request(self, method: str, stanza: Element, body: bytes | None, fields: dict[str, str], timeout: float) -> CallbackAnswer:
        target = self._target or self._target_for(stanza)
        repeatable = self._may_repeat and stanza.tag != "iq"
        try:
            answer = self._pool.request(method, target, self._headers | fields, body, timeout, repeatable=repeatable)
        except (http.client.HTTPException, AnswerTooLong, OSError) as e:
            raise Unreachable(_reason(e), timed_out=isinstance(e, TimeoutError)) from e
        named = (answer.fields.get(name) for name in ("content-type", "content-language", "retry-after", "accept"))
        content_type, language, retry_after, accept = named
        response = CallbackAnswer(answer.status, content_type, language_tag(language), b"", retry_after, accept)
        try:
            return response._replace(body=decode(answer.body, coding_of(answer.fields.get("content-encoding")), MAX_ANSWER))
        except (UnknownEncoding, BadEncoding, TooLong) as e:  # nobody asked for it; the status holds
            return response._replace(unreadable=str(e))

    def _target_for(self, stanza: Element) -> Endpoint:
        try:
            target = target_of(expand(self._template, stanza))
        except ValueError as e:
            raise Unreachable("the URL is not valid") from e
        if not _PLACEHOLDER.search(self._template):
            self._target = target
        return target

    def close(self) -> None:
        """Give the connections back."""
        self._pool.close()


def first_named(accept: str) -> str | None:
    """The media type, of those that can be written, that comes first in an Accept field (COMPAT mod_rest: as a substring)."""
    named = [t for t in REPLY_TYPES if t in accept.lower()]
    return min(named, key=accept.lower().find, default=None)


_REASONS: tuple[tuple[type[Exception], str], ...] = (  # the first match
    (socket.gaierror, "the host name cannot be resolved"),
    (ConnectionRefused, "connection refused"),
    (TimeoutError, "timed out"),
    (ssl.SSLError, "the certificate is not accepted"),
    (AnswerTooLong, f"the answer is longer than {MAX_ANSWER} bytes"),
)


def _reason(error: Exception) -> str:
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "the connection broke off")
