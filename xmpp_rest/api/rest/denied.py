"""Names the error of mod_rest for credentials that prove nobody, as mod_rest of April 2025 has them (rest-api §13)."""

from __future__ import annotations

import base64
import binascii

from xmpp_rest.auth.authenticator import SCHEMES
from xmpp_rest.auth.authorization import BASIC, Credentials, hosted_name
from xmpp_rest.protocol.jid import InvalidJID
from xmpp_rest.protocol.prep import PrepError, saslprep


def error_of_credentials(given: Credentials | None, domain: str) -> str:
    """The name of the error in errors.py: `noauthz` for what is not our kind of credentials at all."""
    if given is None or not given.text or given.scheme not in SCHEMES:
        return "noauthz"
    return _error_of_basic(given.text, domain) if given.scheme == BASIC else "unauthz"


def _error_of_basic(text: str, domain: str) -> str:
    try:
        name, colon, password = base64.b64decode(text, validate=True).partition(b":")
    except (binascii.Error, ValueError):  # not ASCII
        return "malformauthz"
    if not name or not colon:
        return "malformauthz"
    return "unauthz" if _can_be_prepared(name, password, domain) else "prepauthz"


def _can_be_prepared(name: bytes, password: bytes, domain: str) -> bool:
    try:
        hosted_name(name.decode(), domain)
        if password:  # an empty one can be prepared; it opens nothing
            saslprep(password.decode())
    except (UnicodeDecodeError, InvalidJID, PrepError):
        return False
    return True
