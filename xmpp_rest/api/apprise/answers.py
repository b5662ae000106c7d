"""How the Apprise API answers (hooks §15, https://github.com/caronc/apprise-api)."""

from __future__ import annotations

from collections.abc import Sequence

from xmpp_rest.api.hooks.answers import TEXT, Asked, HookAnswer
from xmpp_rest.api.hooks.failures import STATUS, Failure, HookFailure, told
from xmpp_rest.api.hooks.native import for_sender
from xmpp_rest.http.body import dump_json
from xmpp_rest.service.hooks.delivered import Delivered, Result

STATUSES = STATUS | dict.fromkeys((Failure.UNKNOWN, Failure.GONE, Failure.NOT_ALLOWED), 424) | {Failure.NOTHING: 400}
TEXTS = frozenset(("text/plain", "text/html"))


class AppriseAnswers:
    """Answers as the Apprise API's: success is that all have it."""

    def delivered(self, asked: Asked, delivered: Delivered) -> HookAnswer:
        refused = [result for result in delivered.results if result.error is not None]
        if refused:
            sentence = f"{len(refused)} of {len(delivered.results)} recipients did not take the message"
            return apprise_answer(424, asked.accept, sentence, delivered.results)
        return apprise_answer(200, asked.accept, None, delivered.results)

    def failed(self, asked: Asked, failure: HookFailure) -> HookAnswer:
        status = for_sender(asked, failure.failure, STATUSES[failure.failure])
        return apprise_answer(status, asked.accept, failure.detail, failure.results)


def apprise_answer(status: int, accept: str, error: str | None, results: Sequence[Result] = ()) -> HookAnswer:
    """The answer as JSON; as text, where `accept` names nothing else."""
    if wants_text(accept):
        return HookAnswer(status, (error or "ok").encode(), TEXT)
    return HookAnswer(status, dump_json({"error": error, "details": told(results)}))


def wants_text(accept: str) -> bool:
    """Whether an Accept field names text alone."""
    types = {part.partition(";")[0].strip(" \t").lower() for part in accept.split(",")} - {""}
    return bool(types) and types <= TEXTS
