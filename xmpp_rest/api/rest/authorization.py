"""Errors of failed authorization, those of mod_rest of April 2025 (rest-api §13)."""

from __future__ import annotations

import base64
import binascii

from xmpp_rest.protocol.jid import InvalidJID, local_jid, parse_jid
from xmpp_rest.protocol.prep import PrepError, saslprep

SCHEMES = ("basic", "bearer")


def fault(field: str, domain: str) -> str:
    """The name of the error in errors.py: `noauthz` for what is not our kind of credentials at all."""
    scheme, _, rest = field.strip(" ").partition(" ")
    credentials = rest.strip(" ")
    if not credentials or scheme.lower() not in SCHEMES:
        return "noauthz"
    return _basic_fault(credentials, domain) if scheme.lower() == "basic" else "unauthz"


def _basic_fault(credentials: str, domain: str) -> str:
    try:
        name, colon, password = base64.b64decode(credentials, validate=True).partition(b":")
    except (binascii.Error, ValueError):  # not ASCII
        return "malformauthz"
    if not name or not colon:
        return "malformauthz"
    return "unauthz" if _can_be_prepared(name, password, domain) else "prepauthz"


def _can_be_prepared(name: bytes, password: bytes, domain: str) -> bool:
    try:
        user = name.decode()
        _ = parse_jid(user) if "@" in user else local_jid(user, domain)
        if password:  # an empty one can be prepared; it opens nothing
            saslprep(password.decode())
    except (UnicodeDecodeError, InvalidJID, PrepError):
        return False
    return True
