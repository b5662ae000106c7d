"""The checks before anything else: availability, method, credentials, rights, limits (steps S1 to S11).

Each step answers with the status that ends the request, or 0 to go on.
"""

from __future__ import annotations

from datetime import datetime

from .callbacks import Step
from .dates import write_http_date
from .methods import ALLOWED_METHODS, KNOWN_METHODS
from .state import RequestState


def service_available(state: RequestState) -> int:
    """S1, RFC 9110 §15.6.4."""
    return 0 if state.ask("service_available", True) else 503


def known_methods(state: RequestState) -> int:
    """S2, RFC 9110 §15.6.2."""
    return 0 if state.method in state.ask("known_methods", KNOWN_METHODS) else 501


def uri_too_long(state: RequestState) -> int:
    """S3, RFC 9110 §15.5.15."""
    return 414 if state.ask("uri_too_long", False) else 0


def allowed_methods(state: RequestState) -> int:
    """S4, RFC 9110 §15.5.6; Allow stays on every later response (§10.2.1)."""
    methods = state.ask("allowed_methods", ALLOWED_METHODS)
    state.builder.set_field("Allow", ", ".join(methods))
    if state.method in methods or (state.method == "HEAD" and "GET" in methods and state.resource.head_as_get):
        return 0
    return 405


def malformed_request(state: RequestState) -> int:
    """S5, RFC 9110 §15.5.1."""
    return 400 if state.ask("malformed_request", False) else 0


def is_authorized(state: RequestState) -> int:
    """S6, RFC 9110 §15.5.2: a 401 carries a challenge."""
    answer = state.ask("is_authorized", True)
    if answer is True:
        return 0
    if not isinstance(answer, str):
        raise TypeError(f"is_authorized must return True or a challenge such as 'Basic realm=\"x\"', not {answer!r}")
    state.builder.set_field("WWW-Authenticate", answer)
    return 401


def forbidden(state: RequestState) -> int:
    """S7, RFC 9110 §15.5.4."""
    return 403 if state.ask("forbidden", False) else 0


def rate_limited(state: RequestState) -> int:
    """S8, RFC 6585 §4; 0 seconds is a limit too."""
    answer = state.ask("rate_limited", False)
    if answer is False or answer is None:
        return 0
    if answer is not True:
        state.builder.set_field("Retry-After", _retry_after(answer))
    return 429


def _retry_after(answer: object) -> str:
    if isinstance(answer, int):
        return str(max(answer, 0))  # RFC 9110 §10.2.3: seconds are never negative
    if isinstance(answer, datetime):
        return write_http_date(answer, "rate_limited")
    raise TypeError(f"rate_limited must return a bool, seconds as int or an aware datetime, not {answer!r}")


def valid_content_headers(state: RequestState) -> int:
    """S9; RFC 9110 §14.5: a PUT with Content-Range that nobody looks at would store a part as the whole."""
    if "valid_content_headers" in state.callbacks.defined:
        return 0 if state.ask("valid_content_headers", True) else 501
    return 400 if state.method == "PUT" and "HTTP_CONTENT_RANGE" in state.environ else 0


def valid_entity_length(state: RequestState) -> int:
    """S10, RFC 9110 §15.5.14."""
    return 0 if state.ask("valid_entity_length", True) else 413


def options(state: RequestState) -> int:
    """S11, RFC 9110 §9.3.7."""
    if state.method != "OPTIONS":
        return 0
    state.ask("options", None)
    return 200


STEPS = (
    Step(service_available),
    Step(known_methods, always=True),
    Step(uri_too_long),
    Step(allowed_methods, always=True),
    Step(malformed_request),
    Step(is_authorized),
    Step(forbidden),
    Step(rate_limited),
    Step(valid_content_headers, always=True),
    Step(valid_entity_length),
    Step(options, always=True),
)
