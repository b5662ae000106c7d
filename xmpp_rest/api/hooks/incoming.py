"""What a request tells beside its body: header fields and query without secrets, and when its message is to be sent (hooks §7.4, §17)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Request

from xmpp_rest.service.hooks.signatures import FIELDS as SIGNATURES

HIDDEN = frozenset(("authorization", "proxy-authorization", "cookie", "x-gotify-key", "x-hub-signature", *SIGNATURES))
"""Header fields that templates do not see."""
HIDDEN_PARAMETERS = frozenset(("token", "auth", "authorization"))
TIMES = ("send-at", "x-delay", "delay", "x-at", "at", "x-in", "in")
"""Header fields, the first that is not empty."""
TIME_PARAMETERS = ("delay", "at", "in")
PREFETCHES = ("prefetch", "preview")
_SECRET_NAME = re.compile("token|secret|signature|passw|session|jwt|api-?key|api_key")
_TOKEN = re.compile("hk_[0-9A-Za-z]")


def fields_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """All header fields of a request, by their names in lower case."""
    fields = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        fields["content-type"] = str(environ["CONTENT_TYPE"])
    return fields


def shown_fields(fields: Mapping[str, str], secret: str | None) -> dict[str, str]:
    """The fields that templates see: no credentials, tokens and signatures, under whatever name."""
    return {name: value for name, value in fields.items() if name not in HIDDEN and not _tells(name, value, secret)}


def shown_query(query: Mapping[str, str], secret: str | None) -> dict[str, str]:
    """The parameters that templates see."""
    return {name: value for name, value in query.items() if name not in HIDDEN_PARAMETERS and not _tells(name.lower(), value, secret)}


def _tells(name: str, value: str, secret: str | None) -> bool:
    """Whether this is, or has, a secret: proxies hand on the URL in fields of their own."""
    return bool(_SECRET_NAME.search(name) or _TOKEN.search(value) or (secret and secret in value))


def time_in(fields: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The text that says when the message is to be sent, "" for at once."""
    told = [fields.get(name, "") for name in TIMES] + [query.get(name, "") for name in TIME_PARAMETERS]
    return next((text for text in (each.strip() for each in told) if text), "")


def is_prefetch(request: Request) -> bool:
    """Whether a browser or a program only looks what is there, so that nothing may happen."""
    environ = request.environ
    purposes = " ".join(str(environ.get(name, "")).lower() for name in ("HTTP_PURPOSE", "HTTP_SEC_PURPOSE", "HTTP_X_MOZ"))
    mode = str(environ.get("HTTP_SEC_FETCH_MODE", "")).strip(" \t").lower()
    return any(word in purposes for word in PREFETCHES) or mode == "navigate"
