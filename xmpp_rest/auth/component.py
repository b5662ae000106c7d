"""The component's own credentials: its domain and the secret that the server knows for it, as Basic (COMPAT mod_rest's README)."""

from __future__ import annotations

import hmac

from xmpp_rest.auth.credentials import basic_pair
from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.prep import PrepError, nameprep


def names_component(field: str | None, settings: Settings) -> str | None:
    """The password of a Basic field whose user name is the component's domain; else None, and where there is no component."""
    if settings.link.kind != "component" or not settings.link.secret:
        return None
    pair = basic_pair(field)
    if pair is None or "@" in pair[0]:
        return None
    try:
        named = nameprep(pair[0])
    except PrepError:
        return None
    return pair[1] if named == settings.gateway.domain else None


def is_secret(password: str, settings: Settings) -> bool:
    """Whether this is the component's secret; says nothing by the time that it takes."""
    return hmac.compare_digest(password.encode("utf-8", "surrogatepass"), settings.link.secret.encode("utf-8", "surrogateescape"))
