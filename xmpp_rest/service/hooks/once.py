"""Requests to a hook that are made again, as they were not answered, or because two senders watch the same: each is delivered once.

What is kept is what has become of the request, so that the answer to a repetition is made as the first one was.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from drivers import StorageError
from xmpp_rest.errors import GatewayError, storage_failed
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.delivered import Delivered, Due, Result
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.said import Kind, Said
from xmpp_rest.service.messages.idempotency import KEPT, Answer, Claim, Idempotency, OtherRequest, StillRunning
from xmpp_rest.threads.tasks import pause
from xmpp_rest.threads.waits import Wait, Waits

log = logging.getLogger("xmpp_rest.hooks")

PATIENCE = 10.0  # seconds for which a repetition waits for the answer to the first request
FIRST_LOOK, LAST_LOOK = 0.05, 0.5  # seconds between two looks for it
SHARDS = 1024  # tables of one owner: enough for a request in a second, all day

FIELDS = [("Content-Type", "application/json")]
"""Of what is kept; drivers make no difference between lists and tables that are empty."""


@dataclass(frozen=True, slots=True)
class Once:
    """The name of a request among those of its hook. `request`: a fingerprint that has to be the same, "": whatever it is.

    `seconds`: how long its answer is repeated; `whole`: a request that one recipient has refused may be made again. `latest`: another
    request of the name is delivered, and only the latest one is told as repeated.
    """

    name: str
    request: str = ""
    seconds: float = KEPT
    whole: bool = False
    latest: bool = False


class OnceOnly:
    """The requests of all hooks that have a name."""

    def __init__(self, kept: Idempotency, waits: Waits) -> None:
        self._kept = kept
        self._waits = waits

    def begin(self, hook: Hook, once: Once, wait: Wait) -> Claim | Delivered:
        """The right to deliver the request, or what has become of it before; waits for that while the first one is at work.

        Raises GatewayError: the name came with another request, the first one is still at work, or the storage failed.
        """
        try:
            return self._begun(hook, once)
        except StillRunning:
            pass
        with self._waits.holding(str(hook.owner)):
            waited, look = 0.0, FIRST_LOOK
            while waited < wait.seconds and not wait.gone():
                pause(look)
                waited, look = waited + look, min(look * 2, LAST_LOOK)
                try:
                    return self._begun(hook, once)
                except StillRunning:
                    continue
        raise GatewayError("hook-running")

    def _begun(self, hook: Hook, once: Once) -> Claim | Delivered:
        key = f"hook {hook.number} {once.name}"
        try:
            begun = self._kept.begin(hook.owner, key, once.request, once.seconds, latest=once.latest)
        except OtherRequest:
            raise GatewayError("idempotency_reused") from None
        except StorageError as e:
            raise storage_failed(e, "The storage failed; nothing was sent") from e
        return _read(begun) if isinstance(begun, Answer) else begun

    def settle(self, claim: Claim, once: Once, delivered: Delivered) -> None:
        """Keep what has become of the request, if it was delivered; else it may come again. Raises nothing."""
        refused = any(result.error for result in delivered.results)
        if delivered.results and (not delivered.anybody or (once.whole and refused)):
            self.release(claim)
            return
        try:
            self._kept.finish(claim, Answer(200, FIELDS, _write(delivered)))
        except StorageError as e:  # it is on its way: the client has to know
            log.error("what has become of a request cannot be kept: %s", e)

    def release(self, claim: Claim) -> None:
        """Let the request be made again. Raises nothing."""
        try:
            self._kept.release(claim)
        except StorageError as e:
            log.error("the name of a request cannot be released; it is when its time is over: %s", e)


def _write(delivered: Delivered) -> bytes:
    said = delivered.said
    members: dict[str, Any] = {
        "hook": delivered.hook, "format": delivered.format, "number": delivered.number, "at": delivered.at,
        "said": {"kind": said.kind.value, "title": said.title, "message": said.message, "truncated": said.truncated,
                 "template_error": said.template_error},
        "results": [[result.to, result.id, result.how, result.error and list(result.error)] for result in delivered.results],
        "due": delivered.due and [delivered.due.id, delivered.due.at],
    }  # fmt: skip
    return json.dumps(members, separators=(",", ":")).encode()


def _read(answer: Answer) -> Delivered:
    """What was kept; of what was too long for that, no more than that it was delivered."""
    members: dict[str, Any] = json.loads(answer.body or b'{"hook":"","format":"json","number":0,"at":0,"said":{},"results":[],"due":null}')
    said = members["said"]
    return Delivered(
        members["hook"], members["format"], Said(Kind(said.pop("kind", "message")), **said),
        tuple(Result(to, id_, how, error and StanzaError(*error)) for to, id_, how, error in members["results"]),
        members["number"], members["at"], members["due"] and Due(*members["due"]), replayed=True,
    )  # fmt: skip
