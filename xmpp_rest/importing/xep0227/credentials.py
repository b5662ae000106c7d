"""Reads the credentials of an account from a file of XEP-0227."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from xmpp_rest.importing.records import Disabled, LeftOut, Password, Scram
from xmpp_rest.importing.xep0227.names import PIE_SCRAM
from xmpp_rest.protocol.datetimes import parse_datetime

KEYS = {"SCRAM-SHA-1": 20, "SCRAM-SHA-256": 32, "SCRAM-SHA-512": 64}
"""Mechanism → bytes of its keys."""
HASHES = {"sha": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256", "sha512": "SCRAM-SHA-512"}
"""COMPAT ejabberd: names of hashes in a ban."""
CREDENTIALS = "credentials"
_COUNT = re.compile("[0-9]{1,10}")


class _BadCredentials(ValueError):
    """The credentials cannot be read; the sentence says why."""


def scram(element: Element) -> Iterator[Scram | LeftOut]:
    """What a `<scram-credentials/>` holds."""
    texts = (element.findtext(f"{{{PIE_SCRAM}}}{name}", "") for name in ("iter-count", "salt", "stored-key", "server-key"))
    try:
        yield _scram(element.get("mechanism", ""), *texts)
    except _BadCredentials as e:
        yield LeftOut(CREDENTIALS, str(e))


def _scram(mechanism: str, iterations: str, salt: str, stored: str, server: str) -> Scram:
    if mechanism not in KEYS:
        raise _BadCredentials(f"the mechanism {mechanism!r} is not one of {', '.join(KEYS)}")
    if not _COUNT.fullmatch(iterations.strip()):
        raise _BadCredentials(f"{iterations[:20]!r} is not a number of iterations")
    parts = [_decoded(text) for text in (salt, stored, server)]
    size = KEYS[mechanism]
    if len(parts[1]) != size:  # COMPAT ejabberd: base64 of base64, in all three
        parts = [_decoded(part.decode("ascii", "replace")) for part in parts]
    if len(parts[1]) != size or len(parts[2]) != size:
        raise _BadCredentials(f"the keys are not of {mechanism}, which has {size} bytes")
    return Scram(mechanism, int(iterations), *parts)


def _decoded(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError as e:
        raise _BadCredentials(f"they are not base64: {e}") from e


def banned(element: Element) -> Iterator[Disabled | LeftOut]:
    """The ban that ejabberd hides in private storage, with the credentials that hold when it is lifted."""
    ns = element.tag.removesuffix("banned")
    password = element.find(f"{ns}password")
    credentials: tuple[Password | Scram, ...] = ()
    if password is not None and len(password):
        texts = (password.findtext(f"{ns}{name}", "") for name in ("iterationcount", "salt", "storedkey", "serverkey"))
        try:
            credentials = (_scram(HASHES.get(password.findtext(f"{ns}hash", ""), ""), *texts),)
        except _BadCredentials as e:
            yield LeftOut(CREDENTIALS, f"of the banned account: {e}")
    elif password is not None and password.text:
        credentials = (Password(password.text),)
    when, last = (_time(element.findtext(f"{ns}{name}", "")) for name in ("bandate", "lastdate"))
    reason, status = (element.findtext(f"{ns}{name}", "") for name in ("reason", "lastreason"))
    yield Disabled(reason, when, last, status, credentials)


def _time(text: str) -> float | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None
