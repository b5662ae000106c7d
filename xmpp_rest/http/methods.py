"""Request methods (RFC 9110 §9 and the IANA registry of HTTP methods)."""

from __future__ import annotations

REGISTERED_METHODS = frozenset(
    {
        "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD",
        "LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE",
        "MOVE", "OPTIONS", "ORDERPATCH", "PATCH", "POST", "PRI", "PROPFIND", "PROPPATCH", "PUT", "QUERY", "REBIND",
        "REPORT", "SEARCH", "TRACE", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF",
        "VERSION-CONTROL",
    }
)  # fmt: skip

#: What a resource knows and allows unless it says otherwise.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ALLOWED_METHODS = ("GET", "HEAD", "OPTIONS")

#: Those that only read, and those whose request content becomes (part of) the resource.
READS = frozenset({"GET", "HEAD"})
WRITES = frozenset({"PUT", "POST", "PATCH"})
