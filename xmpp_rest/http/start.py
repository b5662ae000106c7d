"""May this request go on at all? (steps S1 to S11)

Each step answers with the status that ends the request, or 0 to go on.
"""

from __future__ import annotations

from datetime import datetime

from .callbacks import Step
from .dates import write_http_date
from .exchange import Exchange
from .methods import ALLOWED_METHODS, KNOWN_METHODS


def service_available(x: Exchange) -> int:
    """S1, RFC 9110 §15.6.4."""
    return 0 if x.ask("service_available", True) else 503


def known_methods(x: Exchange) -> int:
    """S2, RFC 9110 §15.6.2."""
    return 0 if x.method in x.ask("known_methods", KNOWN_METHODS) else 501


def uri_too_long(x: Exchange) -> int:
    """S3, RFC 9110 §15.5.15."""
    return 414 if x.ask("uri_too_long", False) else 0


def allowed_methods(x: Exchange) -> int:
    """S4, RFC 9110 §15.5.6; Allow stays on every later response (§10.2.1)."""
    methods = x.ask("allowed_methods", ALLOWED_METHODS)
    x.draft.set_field("Allow", ", ".join(methods))
    if x.method in methods or (x.method == "HEAD" and "GET" in methods and x.resource.head_as_get):
        return 0
    return 405


def malformed_request(x: Exchange) -> int:
    """S5, RFC 9110 §15.5.1."""
    return 400 if x.ask("malformed_request", False) else 0


def is_authorized(x: Exchange) -> int:
    """S6, RFC 9110 §15.5.2: a 401 carries a challenge."""
    answer = x.ask("is_authorized", True)
    if answer is True:
        return 0
    if not isinstance(answer, str):
        raise TypeError(f"is_authorized must return True or a challenge such as 'Basic realm=\"x\"', not {answer!r}")
    x.draft.set_field("WWW-Authenticate", answer)
    return 401


def forbidden(x: Exchange) -> int:
    """S7, RFC 9110 §15.5.4."""
    return 403 if x.ask("forbidden", False) else 0


def rate_limited(x: Exchange) -> int:
    """S8, RFC 6585 §4; 0 seconds is a limit too."""
    answer = x.ask("rate_limited", False)
    if answer is False or answer is None:
        return 0
    if answer is not True:
        x.draft.set_field("Retry-After", _retry_after(answer))
    return 429


def _retry_after(answer: object) -> str:
    if isinstance(answer, int):
        return str(max(answer, 0))  # RFC 9110 §10.2.3: seconds are never negative
    if isinstance(answer, datetime):
        return write_http_date(answer, "rate_limited")
    raise TypeError(f"rate_limited must return a bool, seconds as int or an aware datetime, not {answer!r}")


def valid_content_headers(x: Exchange) -> int:
    """S9; RFC 9110 §14.5: a PUT with Content-Range that nobody looks at would store a part as the whole."""
    if "valid_content_headers" in x.plan.defined:
        return 0 if x.ask("valid_content_headers", True) else 501
    return 400 if x.method == "PUT" and "HTTP_CONTENT_RANGE" in x.environ else 0


def valid_entity_length(x: Exchange) -> int:
    """S10, RFC 9110 §15.5.14."""
    return 0 if x.ask("valid_entity_length", True) else 413


def options(x: Exchange) -> int:
    """S11, RFC 9110 §9.3.7."""
    if x.method != "OPTIONS":
        return 0
    x.ask("options", None)
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
