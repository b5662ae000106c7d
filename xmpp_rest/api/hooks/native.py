"""How requests of most formats are answered: with what became of each recipient, or with a problem document (hooks §8, §12)."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.hooks.answers import Asked, HookAnswer
from xmpp_rest.api.hooks.failures import STATUS, Failure, HookFailure, told
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.problem import render_problem
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.service.hooks.delivered import Delivered
from xmpp_rest.service.hooks.said import Kind

ALERTS = frozenset(("alertmanager", "grafana"))
RETRYING_AGENTS = ("Alertmanager/", "GitLab/")
"""How the User-Agent of senders begins that give up after a 429, and try again after a 503."""
RETRYING = ALERTS | {"gitlab"}
"""The formats of such senders."""
FOR_GOOD = frozenset((Failure.UNKNOWN, Failure.GONE, Failure.NOT_ALLOWED))


class NativeAnswers:
    """Answers as JSON."""

    def delivered(self, asked: Asked, delivered: Delivered) -> HookAnswer:
        said = delivered.said
        if said.kind is Kind.SILENT:
            return HookAnswer(204, type="")
        more: dict[str, Any] = {"truncated": True} if said.truncated else {}
        more |= {"template_error": said.template_error} if said.template_error else {}
        body: dict[str, Any] = {"hook": delivered.hook, "format": delivered.format, "results": told(delivered.results, **more)}
        if said.kind is Kind.PING:
            body["event"] = "ping"
        if delivered.due is None:
            return HookAnswer(200, dump_json(body))
        body["scheduled"] = {"id": delivered.due.id, "at": write_datetime(round(delivered.due.at))}
        return HookAnswer(202, dump_json(body), fields={"Location": f"{asked.base}/rest/scheduled/{delivered.due.id}"})

    def failed(self, asked: Asked, failure: HookFailure) -> HookAnswer:
        status = status_of(asked, failure.failure)
        members: dict[str, Any] = {"detail": failure.detail}
        if failure.results:
            members |= {"hook": asked.hook.name, "format": asked.format, "results": told(failure.results)}
        return HookAnswer(status, *render_problem(status, members))


def status_of(asked: Asked, failure: Failure) -> int:
    """The status of a failure: one after which its sender does what is right."""
    if failure in FOR_GOOD and asked.format in ALERTS:
        return 424  # Alertmanager repeats any 5xx until the group's next turn
    return for_sender(asked, failure, STATUS[failure])


def for_sender(asked: Asked, failure: Failure, usual: int) -> int:
    """The status of a failure that is usually this one: where it may pass, one after which the sender tries again."""
    if failure is Failure.LIMITED:
        return limited_status(asked.format, asked.user_agent)
    return 503 if failure is Failure.FULL and limited_status(asked.format, asked.user_agent) == 503 else usual


def limited_status(format_: str, user_agent: str) -> int:
    """The status of a request that came too soon: one after which its sender, of this format or User-Agent, tries again."""
    return 503 if format_ in RETRYING or user_agent.startswith(RETRYING_AGENTS) else 429
