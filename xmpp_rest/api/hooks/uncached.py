"""The header fields of every answer about a hook (hooks §4, §12)."""

from __future__ import annotations

from flask import Response


def uncached(response: Response) -> Response:
    """The response, which is for this request alone, and is what its type says."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
