"""Credentials of /data: Basic with a full JID as name (data-api §1.2), and the gateway's own tokens."""

from __future__ import annotations

import base64
import binascii

NOBODY = "Basic"
"""A field that proves nothing."""


def counting(field: str | None) -> str | None:
    """The field as other APIs have it, if it is one that counts here; else one that proves nothing; None stays None.

    COMPAT mod_data_access: its documentation writes the credentials without the word Basic in front.
    """
    if not field:
        return None
    scheme, blank, credentials = field.strip(" ").partition(" ")
    if not blank:
        scheme, credentials = "basic", scheme
    if blank and scheme.lower() == "bearer":
        return field
    return f"Basic {credentials}" if scheme.lower() == "basic" and _names_domain(credentials) else NOBODY


def _names_domain(credentials: str) -> bool:
    try:
        return b"@" in base64.b64decode(credentials.strip(" ")).partition(b":")[0]
    except (binascii.Error, ValueError):  # not ASCII
        return False
