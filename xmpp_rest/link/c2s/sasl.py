"""SASL on a stream with TLS: one attempt with one mechanism, whose failure is final (accounts-anywhere §4.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from xml.etree.ElementTree import Element

from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.failures import IMPOSTOR, LOGIN_LATER, NO_LOGIN, SASL_ERRORS, STALE_KEYS, WRONG_PASSWORD, LoginFailed
from xmpp_rest.link.c2s.login_stream import LoginStream
from xmpp_rest.link.c2s.scram import HASHES, ScramClient
from xmpp_rest.protocol.namespaces import SASL
from xmpp_rest.protocol.prep import PrepError, saslprep
from xmpp_rest.protocol.stanza import child, condition_in

PLAIN = "PLAIN"
_PREFIX = f"{{{SASL}}}"


class PreparedCredentials:
    """Name and password as SASL writes them (RFC 4013). Raises LoginFailed, wrong-password, for those that no server can know."""

    def __init__(self, given: LoginCredentials) -> None:
        try:
            self.user = saslprep(given.jid.local)
            self.password = None if given.password is None else saslprep(given.password)
        except PrepError as e:
            raise LoginFailed(WRONG_PASSWORD, given.jid.domain, "it fails SASLprep") from e
        self.domain = given.jid.domain
        self.keys = given.keys

    def __repr__(self) -> str:
        return f"<credentials of {self.user}@{self.domain}>"


def mechanism_for(offered: Collection[str], credentials: PreparedCredentials) -> str:
    """The one to use, "" for none: the best SCRAM that the server offers, and PLAIN only where it offers none."""
    keys = credentials.keys
    if credentials.password is None and keys and keys.mechanism in offered:
        return keys.mechanism
    best = next((name for name in HASHES if name in offered), "")
    return best or (PLAIN if PLAIN in offered else "")


def authenticate(stream: LoginStream, features: Element, credentials: PreparedCredentials) -> ScramKeys | None:
    """Log in on a stream with TLS; the keys that the password gave, None after PLAIN. Raises LoginFailed."""
    offered = {(name.text or "").strip() for name in features.iterfind(f"{_PREFIX}mechanisms/{_PREFIX}mechanism")}
    mechanism = mechanism_for(offered, credentials)
    if not mechanism:
        raise LoginFailed(NO_LOGIN, credentials.domain, f"it offers {', '.join(sorted(offered))[:200] or 'no mechanism'}")
    if mechanism == PLAIN:
        _plain(stream, credentials)
        return None
    scram = ScramClient(credentials.domain, mechanism, credentials.user, credentials.password, credentials.keys)
    _scram(stream, scram, mechanism)
    return scram.keys


def _plain(stream: LoginStream, credentials: PreparedCredentials) -> None:
    """RFC 4616."""
    if credentials.password is None:
        raise LoginFailed(STALE_KEYS, credentials.domain, "the server offers PLAIN alone")
    _write(stream, "auth", f"\0{credentials.user}\0{credentials.password}".encode(), mechanism=PLAIN)
    _answer(stream, "success")


def _scram(stream: LoginStream, scram: ScramClient, mechanism: str) -> None:
    _write(stream, "auth", scram.first(), mechanism=mechanism)
    _write(stream, "response", scram.respond(_payload(stream, _answer(stream, "challenge"))))
    last = _answer(stream, "success", "challenge")
    scram.check(_payload(stream, last))
    if last.tag == f"{_PREFIX}challenge":  # the signature came by itself
        _write(stream, "response", b"")
        _answer(stream, "success")


def _write(stream: LoginStream, name: str, payload: bytes, **attributes: str) -> None:
    stream.send(child(f"{_PREFIX}{name}", base64.b64encode(payload).decode(), **attributes))


def _answer(stream: LoginStream, *wanted: str) -> Element:
    """The server's next element, which must be one of these. Raises LoginFailed."""
    element = stream.read()
    name = element.tag.removeprefix(_PREFIX)
    if name in wanted:
        return element
    domain = stream.time.domain
    if name == "failure":
        condition = condition_in(element, SASL)
        found = SASL_ERRORS.get(condition, NO_LOGIN)
        raise LoginFailed(found, domain, f"SASL {condition[:100]}", of_account=found == LOGIN_LATER)
    if name == "success":
        raise LoginFailed(IMPOSTOR, domain, "success without a challenge")
    raise LoginFailed(NO_LOGIN, domain, f"{element.tag[:100]} in the middle of SASL")


def _payload(stream: LoginStream, element: Element) -> bytes:
    text = (element.text or "").strip()
    try:
        return b"" if text == "=" else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise LoginFailed(NO_LOGIN, stream.time.domain, "a payload that is not base64") from e
