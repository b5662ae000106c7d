"""Sends what hooks say: to each target in parallel, in order for each, and tells what became of it (hooks §3, §8)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from xmpp_rest.config.hook_tables import HooksSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.stanza import new_id
from xmpp_rest.request_notes import current_id
from xmpp_rest.service.files.shared_file import SharedFile
from xmpp_rest.service.hooks.delivered import Result
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.message import HookMessage, HookRecipient, Verdict, error_of_failure
from xmpp_rest.service.hooks.said import Said
from xmpp_rest.service.hooks.to_one import ToOne
from xmpp_rest.service.hooks.verdicts import Verdicts
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.tasks import current_task
from xmpp_rest.threads.waits import Wait, Waits

log = logging.getLogger("xmpp_rest.hooks")

LONGEST = 45.0  # seconds until all is said, whatever rooms and service discovery do; [hooks] wait is on top of it


class HookSender:
    """Messages of hooks. What has an order is done in the leader, without a thread for what waits."""

    def __init__(self, settings: HooksSettings, to_one: ToOne, waits: Waits, remote: Remote, incidents: Incidents) -> None:
        self._settings = settings
        self._to_one = to_one
        self._waits = waits
        self._incidents = incidents
        self._remote = remote
        remote.offer(self)

    def configure(self, settings: HooksSettings) -> None:
        """Work by these settings from now on."""
        self._settings = settings

    def send(self, hook: Hook, said: Said) -> tuple[Result, ...]:
        """Send what a hook says to all of its targets; a result for each, in their order. Raises nothing.

        A result tells a refusal that came within [hooks] wait; without one the message is accepted: it is in the outbox, or delivered.
        """
        recipients = [HookRecipient(target.jid, target.room, new_id()) for target in hook.targets]
        key = said.key if hook.update else ""
        message = HookMessage(
            hook.name, hook.owner, hook.speaks_as, hook.called, said.text, key, said.state, said.ends, current_id() or "", recipients
        )
        verdicts = self._verdicts(message)
        return tuple(
            Result(str(target), recipient.id, verdict.how, verdict.error)
            for target, recipient, verdict in zip(hook.targets, recipients, verdicts, strict=True)
        )

    def send_file(self, hook: Hook, reached: Collection[str], file: SharedFile) -> None:
        """Send a file, after what was said before, to those targets that it has reached. Raises nothing; nobody waits for refusals."""
        recipients = [HookRecipient(target.jid, target.room, new_id()) for target in hook.targets if str(target) in reached]
        message = HookMessage(
            hook.name, hook.owner, hook.speaks_as, hook.called, file.url, "", "", False, current_id() or "", recipients, file
        )  # fmt: skip
        try:
            self._deliver(message, 0.0)
        except Exception as e:
            self._incidents.report(log, "hook-unsent", "a file of the hook %s is not sent: %r", hook.name, e)

    def send_due(self, hook: Hook, said: Said, ids: Sequence[str], tell: Callable[[tuple[Result, ...]], object]) -> None:
        """As `send`, but in the leader, with these ids of stanzas, one for each target, and without waiting; `tell` gets the results.

        A message of its own, whatever matter it is about. `tell` may be called by any thread, also before this returns.
        """
        recipients = [HookRecipient(target.jid, target.room, each) for target, each in zip(hook.targets, ids, strict=True)]
        message = HookMessage(hook.name, hook.owner, hook.speaks_as, hook.called, said.text, "", "", False, "", recipients)

        def told(verdicts: Sequence[Verdict]) -> None:
            pairs = zip(hook.targets, ids, verdicts, strict=True)
            tell(tuple(Result(str(target), each, verdict.how, verdict.error) for target, each, verdict in pairs))

        try:
            self._begin(message, 0.0, Wait(LONGEST), told)
        except Exception as e:
            self._incidents.report(log, "hook-unsent", "a message of the hook %s is not sent: %r", hook.name, e, trace=True)
            told([Verdict(error=error_of_failure(e))] * len(recipients))

    def _verdicts(self, message: HookMessage) -> Sequence[Verdict]:
        try:
            return self._waited_for(message)
        except Exception as e:
            if not isinstance(e, GatewayError):
                self._incidents.report(log, "hook-unsent", "a message of the hook %s is not sent: %r", message.hook, e, trace=True)
            return [Verdict(error=error_of_failure(e))] * len(message.recipients)

    def _waited_for(self, message: HookMessage) -> Sequence[Verdict]:
        try:
            with self._waits.holding(str(message.owner)):
                return self._deliver(message, self._settings.wait)
        except GatewayError as e:
            if e.name != "waits-full" or current_task() is None:  # it is raised before anything is sent
                raise
        # a task costs no thread, so the message need not be refused because nothing is waited for
        return self._deliver(message, 0.0)

    def _deliver(self, message: HookMessage, seconds: float) -> Sequence[Verdict]:
        return self.deliver(message, seconds, Wait(LONGEST + seconds))

    def _deliver_deferred(self, reply: Reply, message: HookMessage, seconds: float, wait: Wait) -> End:
        self._begin(message, seconds, wait, reply)
        return _go_on

    @on_leader(deferred=_deliver_deferred)
    def deliver(self, message: HookMessage, seconds: float, wait: Wait) -> list[Verdict]:
        """Send the message; a verdict for each recipient. `seconds`: for which refusals are waited for; `wait`: for all together."""
        ended: OneShot[list[Verdict]] = OneShot()
        self._begin(message, seconds, wait, ended.give)
        verdicts = ended.wait()
        assert verdicts is not None
        return verdicts

    def _begin(self, message: HookMessage, seconds: float, wait: Wait, tell: Callable[[list[Verdict]], object]) -> None:
        verdicts = Verdicts(len(message.recipients), tell)
        timer = self._remote.timers.after(wait.seconds, verdicts.end)
        verdicts.at_end(lambda: self._remote.timers.cancel(timer))
        for place, recipient in enumerate(message.recipients):
            self._to_one.send(message, recipient, seconds, verdicts.of(place))


def _go_on() -> None:
    """The caller has gone; the message is sent all the same."""
