"""Tells whether a request was signed by a hook's secret (hooks §9)."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256

TOLERANCE = 300.0  # seconds that the time in a signature may be off
BASE64 = "whsec_"
"""In front of a secret of Standard Webhooks, whose rest is base64."""
TIMED, GRAFANA = "webhook-signature", "x-grafana-alerting-signature"
WEBHOOK_ID, WEBHOOK_TIME, GRAFANA_TIME = "webhook-id", "webhook-timestamp", "x-grafana-alerting-timestamp"

Headers = Mapping[str, str]
"""Names in lower case."""
Check = Callable[[str, str, bytes, Headers, float], bool]
"""Whether the value of a field is right: secret, value, body, all fields, Unix time."""


def is_signed(secret: str, headers: Headers, body: bytes, now: float) -> bool:
    """Whether a field proves that the sender has the secret, and none that is there is wrong."""
    there = [(check, headers[field]) for field, check in FIELDS.items() if field in headers]
    right = [check(secret, value.strip(" \t"), body, headers, now) for check, value in there]  # all of them, whatever the first says
    return bool(secret) and bool(right) and all(right)


def names_signature(headers: Headers) -> bool:
    """Whether a request has any of the fields."""
    return not FIELDS.keys().isdisjoint(headers)


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))


def _hex_of(secret: str, signed: bytes) -> str:
    return hmac.new(_raw(secret), signed, sha256).hexdigest()


def _raw(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogateescape")


def _prefixed(secret: str, value: str, body: bytes, _headers: Headers, _now: float) -> bool:
    return _is_same(value.lower(), f"sha256={_hex_of(secret, body)}")


def _plain(secret: str, value: str, body: bytes, _headers: Headers, _now: float) -> bool:
    return _is_same(value.lower(), _hex_of(secret, body))


def _secret(secret: str, value: str, _body: bytes, _headers: Headers, _now: float) -> bool:
    # a field comes as Latin-1 (PEP 3333), whichever of the two its sender has written
    return any([_is_same(value, secret), hmac.compare_digest(value.encode("latin-1", "replace"), _raw(secret))])


def _standard(secret: str, value: str, body: bytes, headers: Headers, now: float) -> bool:
    """Standard Webhooks: any of the signatures of version 1."""
    key, identifier, at = _key(secret), headers.get(WEBHOOK_ID, ""), headers.get(WEBHOOK_TIME, "")
    if key is None or not identifier or not _is_near(at, now):
        return False
    signed = b"%s.%s.%s" % (_raw(identifier), _raw(at.strip(" \t")), body)
    right = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    return any(_is_same(each, f"v1,{right}") for each in value.split())


def _key(secret: str) -> bytes | None:
    if not secret.startswith(BASE64):
        return _raw(secret)
    text = secret.removeprefix(BASE64)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or None
    except binascii.Error:
        return None


def _grafana(secret: str, value: str, body: bytes, headers: Headers, now: float) -> bool:
    at = headers.get(GRAFANA_TIME)
    if at is None:
        return _plain(secret, value, body, headers, now)
    return _is_near(at, now) and _plain(secret, value, b"%s:%s" % (_raw(at.strip(" \t")), body), headers, now)


def _is_near(text: str, now: float) -> bool:
    text = text.strip(" \t")
    return text.isascii() and text.isdigit() and len(text) < 16 and abs(int(text) - now) <= TOLERANCE


FIELDS: Mapping[str, Check] = {
    "x-hub-signature-256": _prefixed,
    "x-gitea-signature": _plain,
    "x-forgejo-signature": _plain,
    "x-gogs-signature": _plain,
    "x-gitlab-token": _secret,
    TIMED: _standard,
    GRAFANA: _grafana,
}
"""Header field → how its value is checked. Not X-Hub-Signature, as SHA-1 is not enough."""
