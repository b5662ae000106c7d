"""Why a request to a hook is not answered with success, whichever API it came by: what each then says stands in its own table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from drivers import StorageError
from xmpp_rest.api.failures import of_storage
from xmpp_rest.api.hooks.bodies import TAKEN, BadBody, TooLarge, UnknownType
from xmpp_rest.errors import RETRY_AFTER, GatewayError
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.delivered import Result, is_for_now
from xmpp_rest.service.hooks.requests import RateExceeded
from xmpp_rest.service.hooks.said import NothingToSay
from xmpp_rest.service.scheduled.times import BadTime


class Failure(Enum):
    """What has gone wrong."""

    UNREADABLE = "cannot be read"
    NOTHING = "nothing to say"
    UNAUTHORIZED = "wrong credentials"
    FORBIDDEN = "not allowed"
    FULL = "as many messages wait for their time as may"
    TOO_LARGE = "too large"
    MEDIA_TYPE = "media type"
    REUSED = "name of another request"
    LIMITED = "rate"
    UNKNOWN = "all refused: no such recipient"
    GONE = "all refused: gone"
    NOT_ALLOWED = "all refused: not allowed"
    FOR_NOW = "all refused for now"
    INTERNAL = "an error of the gateway"


STATUS: dict[Failure, int] = {
    Failure.UNREADABLE: 400,
    Failure.NOTHING: 422,
    Failure.UNAUTHORIZED: 401,
    Failure.FORBIDDEN: 403,
    Failure.FULL: 403,
    Failure.TOO_LARGE: 413,
    Failure.MEDIA_TYPE: 415,
    Failure.REUSED: 422,
    Failure.LIMITED: 429,
    Failure.UNKNOWN: 502,
    Failure.GONE: 502,
    Failure.NOT_ALLOWED: 502,
    Failure.FOR_NOW: 503,
    Failure.INTERNAL: 500,
}
"""Failure → the status that it has where an API says nothing else."""
NO_RECIPIENT = frozenset(("item-not-found", "service-unavailable", "remote-server-not-found"))
"""Conditions that say: there is no such recipient."""


class HookFailure(Exception):
    """Ends a request to a hook. `results`: what became of the recipients; `retry_after`: seconds, of what may work later."""

    def __init__(
        self, failure: Failure, detail: str, *,
        results: Sequence[Result] = (), retry_after: int = 0, fields: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.failure = failure
        self.detail = detail
        self.results = results
        self.retry_after = retry_after
        self.fields = dict(fields or {})


EXPECTED = (HookFailure, BadBody, UnknownType, TooLarge, BadTime, NothingToSay, RateExceeded, GatewayError, StorageError)
"""What handling a request may raise."""


def failure_of(error: Exception) -> HookFailure:
    """The failure for one of EXPECTED."""
    match error:
        case HookFailure():
            return error
        case BadBody() | BadTime():
            return HookFailure(Failure.UNREADABLE, str(error))
        case UnknownType():
            fields = {"Accept-Post": ", ".join(TAKEN)} | ({"Accept-Encoding": "identity"} if error.coded else {})
            return HookFailure(Failure.MEDIA_TYPE, str(error), fields=fields)
        case TooLarge():
            return HookFailure(Failure.TOO_LARGE, str(error))
        case NothingToSay():
            return HookFailure(Failure.NOTHING, str(error) or "There is nothing to say")
        case RateExceeded():
            return HookFailure(Failure.LIMITED, str(error), retry_after=error.retry_after)
        case StorageError():
            return _of_gateway(of_storage(error))
        case GatewayError():
            return _of_gateway(error)
    raise error


def _of_gateway(error: GatewayError) -> HookFailure:
    """What a service's error is: for now, where the same request may be delivered later, so that no sender gives it up."""
    status = error.row.status
    if status >= 500 or status in (409, 429):
        return HookFailure(Failure.FOR_NOW, error.text, retry_after=RETRY_AFTER)
    if error.row.type == "wait":
        return HookFailure(Failure.FULL, error.text, retry_after=RETRY_AFTER)
    kinds = {400: Failure.UNREADABLE, 403: Failure.FORBIDDEN, 413: Failure.TOO_LARGE, 422: Failure.REUSED}
    return HookFailure(kinds.get(status, Failure.UNREADABLE), error.text)


def refused(results: Sequence[Result]) -> HookFailure:
    """The failure for results of which none is an acceptance."""
    errors = [result.error for result in results if result.error is not None]
    said = "; ".join(dict.fromkeys(_sentence(error) for error in errors))[:500]
    if is_for_now(results):
        return HookFailure(Failure.FOR_NOW, f"Nobody takes the message now: {said}", results=results, retry_after=RETRY_AFTER)
    return HookFailure(_for_good([error.condition for error in errors]), f"Nobody takes the message: {said}", results=results)


def _for_good(conditions: Sequence[str]) -> Failure:
    if conditions and all(condition == "gone" for condition in conditions):
        return Failure.GONE
    return Failure.UNKNOWN if conditions and all(condition in NO_RECIPIENT for condition in conditions) else Failure.NOT_ALLOWED


def _sentence(error: StanzaError) -> str:
    return f"{error.condition} ({error.text})" if error.text else error.condition


def told(results: Sequence[Result], **more: Any) -> list[dict[str, Any]]:
    """The results as they stand in answers."""
    return [result.to_json() | more for result in results]
