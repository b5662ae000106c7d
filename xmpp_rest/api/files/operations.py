"""The operations of files, for their OpenAPI description."""

from __future__ import annotations

from xmpp_rest.api.files.public_operations import OPERATIONS as PUBLIC_OPERATIONS
from xmpp_rest.api.openapi.model import Description


def describe() -> Description:
    """The API of files."""
    return Description("files", "Files, and the upload service.", PUBLIC_OPERATIONS, {})
