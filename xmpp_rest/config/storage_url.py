"""A storage URL as it may be shown: without what may be a password."""

from __future__ import annotations

PATHS = ("sqlite", "flatfile", "jsonfile")
"""Drivers whose place is a path."""
DATABASES = ("postgres", "postgresql")


def shown_url(url: str) -> str:
    """The URL without the password of a database; of a driver that is not ours only its name, as the rest may hold anything."""
    scheme, _, rest = url.partition(":")
    if scheme in PATHS:
        return url
    if scheme not in DATABASES:
        return f"{scheme}:…"
    if not rest.startswith("//"):  # libpq's other form, key=value
        return f"{scheme}:…" if "password" in rest else url
    who, at, place = rest[2:].rpartition("@")
    place = place.partition("?")[0] if "password" in place else place
    return f"{scheme}://{who.partition(':')[0]}{at}{place}"
