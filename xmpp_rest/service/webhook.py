"""How is a stanza POSTed to a URL, and what came back? One URL, bounded in time, size and connections (spec rest-api §12)."""

from __future__ import annotations

import time
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element

import urllib3
from urllib3.util import make_headers

from xmpp_rest import __version__
from xmpp_rest.protocol.codecs import CODECS
from xmpp_rest.protocol.namespaces import XML_LANG
from xmpp_rest.service.callback_reply import Response
from xmpp_rest.settings import Callback

MAX_ANSWER = 1 << 20  # bytes of a body that are read
CHUNK = 65536
_DEFAULT_TYPE = {"message": "normal", "presence": "available"}


class Unreachable(Exception):
    """The URL gave no answer; the text says why, without naming it."""


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


def _encode(text: str) -> str:
    quoted = quote(text, safe="")
    return "".join(part.lower() if n % 2 else part for n, part in enumerate(_split_escapes(quoted)))


def _split_escapes(quoted: str) -> list[str]:
    """Plain text and percent escapes in turn."""
    parts = [""]
    while "%" in quoted:
        plain, _, quoted = quoted.partition("%")
        parts[-1] += plain
        parts += [f"%{quoted[:2]}", ""]
        quoted = quoted[2:]
    parts[-1] += quoted
    return parts


class Webhook:
    """The URL of one callback. Safe to be used by several threads."""

    def __init__(self, settings: Callback) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        user, at, host = parts.netloc.rpartition("@")
        self._template = parts._replace(netloc=host).geturl() if at else settings.url
        self._headers = {
            "Content-Type": settings.content_type,
            "Accept": ", ".join(CODECS),
            "User-Agent": f"xmpp-rest/{__version__}",
        } | (make_headers(basic_auth=unquote(user)) if at else {})
        self._pool = urllib3.PoolManager(num_pools=8, maxsize=settings.concurrency, retries=False)

    def post(self, stanza: Element) -> Response:
        """POST the stanza and read the answer within the callback's time. Raises Unreachable; redirects are not followed."""
        deadline = time.monotonic() + self._settings.timeout
        write = CODECS[self._settings.content_type].write
        assert write is not None, "settings allow only types that can be written"
        lang = stanza.get(XML_LANG)
        try:
            answer = self._pool.request(
                "POST",
                expand(self._template, stanza),
                body=write(stanza),
                headers=self._headers | ({"Content-Language": lang} if lang else {}),
                timeout=urllib3.Timeout(total=self._settings.timeout),
                redirect=False,
                preload_content=False,
            )
            return Response(
                answer.status, answer.headers.get("Content-Type"), answer.headers.get("Content-Language"), _read(answer, deadline)
            )
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise Unreachable(_reason(e)) from e

    def close(self) -> None:
        """Give the connections back."""
        self._pool.clear()


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The body; a URL that sends it drop by drop, or without end, is cut off."""
    body = bytearray()
    while chunk := answer.read1(CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER:
            answer.close()
            raise Unreachable(f"the answer is longer than {MAX_ANSWER} bytes")
        if time.monotonic() > deadline:
            answer.close()
            raise Unreachable("timed out")
    answer.release_conn()
    return bytes(body)


_REASONS: tuple[tuple[type[Exception], str], ...] = (  # first match; NewConnectionError is a ConnectTimeoutError in urllib3 2
    (urllib3.exceptions.NameResolutionError, "the host name cannot be resolved"),
    (urllib3.exceptions.NewConnectionError, "connection refused"),
    (urllib3.exceptions.TimeoutError, "timed out"),
    (urllib3.exceptions.SSLError, "the certificate is not accepted"),
    (urllib3.exceptions.LocationValueError, "the URL is not valid"),
)


def _reason(error: Exception) -> str:
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "the connection broke off")
