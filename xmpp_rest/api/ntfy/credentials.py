"""Credentials of ntfy's clients: the Authorization field, or the same in the query (hooks §13.1)."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.fields import Parameters
from xmpp_rest.auth.authorization import BASIC, BEARER, Policy, read_authorization
from xmpp_rest.auth.scopes import Use

NTFY = Policy(lambda _: "ntfy", challenges=("Basic", "Bearer"))


class NtfyCredentials(NamedTuple):
    """What a request says of its caller. `field`: as that of Authorization; None: nothing."""

    field: str | None
    address: str
    use: Use


def read_credentials(field: str | None, parameters: Parameters, address: str, use: Use) -> NtfyCredentials:
    """The credentials of a request; the query goes before the field. Raises NtfyError, 40101, for what cannot be decoded."""
    if not (encoded := parameters.in_query("auth")):
        return NtfyCredentials(_understood(field), address, use)
    try:
        text = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as e:
        raise NtfyError(40101) from e
    return NtfyCredentials(_understood(text.strip()), address, use)


def _understood(field: str | None) -> str | None:
    """The field as the authenticator takes it: other schemes say nothing, and Basic without a user name has a token as its password."""
    given = read_authorization(field)
    if given is None or given.scheme not in (BASIC, BEARER):
        return None
    if given.pair is not None and not given.pair[0]:
        return f"Bearer {given.pair[1]}"
    return field
