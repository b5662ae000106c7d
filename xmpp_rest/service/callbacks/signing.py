"""Signatures of requests to a callback's URL: Standard Webhooks (standardwebhooks.com, 1.0.0)."""

from __future__ import annotations

import base64
import hashlib
import hmac


def webhook_fields(secret: bytes, identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The header fields of a request: `webhook-id`, the same for every attempt; `webhook-timestamp`, this attempt's Unix time.

    With a secret also `webhook-signature`, HMAC-SHA256 over `id.timestamp.body`.
    """
    fields = {"webhook-id": identifier, "webhook-timestamp": str(timestamp)}
    if secret:
        signed = hmac.digest(secret, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256)
        fields["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return fields
