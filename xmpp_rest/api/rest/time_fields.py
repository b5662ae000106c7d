"""The header fields that say when a message is to be sent."""

from __future__ import annotations

from flask import Request

TIME_FIELDS = ("HTTP_SEND_AT", "HTTP_DELAY")
NOT_LATER = "Messages of accounts of {domain} cannot wait for their time: to send them then takes the password, which is not kept"
"""Of accounts of other servers (accounts-anywhere §7.5)."""


def wanted_time(request: Request) -> str:
    """What the request says of the time; "" for nothing."""
    return next((text for name in TIME_FIELDS if (text := str(request.environ.get(name, "")).strip())), "")
