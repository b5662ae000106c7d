"""What it is in HTTP that an account's own server has refused (accounts-anywhere §7)."""

from __future__ import annotations

from xmpp_rest.errors import GatewayError, Row
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.rooms.refused import bounded, status_of


def server_refused(error: StanzaError, what: str, by: str = "") -> GatewayError:
    """The server's error in answer to a request. `what`: a sentence that says what it has refused; `by`: the address that answered."""
    error = bounded(error)
    text = f"{what}: {error.text or error.condition}"
    return GatewayError("server-refused", text, Row(status_of(error), error.type, error.condition, text), by)
