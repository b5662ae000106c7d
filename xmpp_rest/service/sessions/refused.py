"""What it is in HTTP that an account's own server has refused, or has not answered (accounts-anywhere §7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xmpp_rest.errors import ERRORS, GatewayError, Row, at_server
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.rooms.refused import bounded

STATUS = {
    "forbidden": 403,
    "not-allowed": 403,
    "not-authorized": 403,
    "policy-violation": 403,
    "registration-required": 403,
    "remote-server-timeout": 504,
    "resource-constraint": 503,
}
"""Condition → status. Any other: 502, and 503 where the error is of type wait: what an API says itself by 404 or 409 is something else."""


def server_refused(error: StanzaError, what: str, by: str = "") -> GatewayError:
    """The server's error in answer to a request. `what`: a sentence that says what it has refused; `by`: the address that answered."""
    error = bounded(error)
    text = f"{what}: {error.text or error.condition}"
    status = STATUS.get(error.condition, 503 if error.type == "wait" else 502)
    return GatewayError("server-refused", text, Row(status, error.type, error.condition, text), by)


@contextmanager
def answered_in_time(domain: str) -> Iterator[None]:
    """Tell of a server that has not answered as a proxy does: the gateway itself is well. `domain`: of the account that asks."""
    try:
        yield
    except GatewayError as e:
        if (told := as_of_server(e, domain)) is e:
            raise
        raise told from e


def as_of_server(error: GatewayError, domain: str) -> GatewayError:
    """The error as `answered_in_time` tells it."""
    if error.name == "iq-timeout":
        return GatewayError("server-silent")
    if error.name == "unanswered":  # the leader has ended, and with it the session (accounts-anywhere §2)
        return at_server("session-broke", domain)
    if error.name == "iq-overload":
        return GatewayError(error.name, error.text, ERRORS[error.name]._replace(status=503))
    return error
