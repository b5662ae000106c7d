"""`GET /rest/outcome/{id}`: the outcome of a stanza that the caller sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drivers import StorageError
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.resource import RestResource
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.errors import storage_failed
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.messages.outcomes import Outcome


class OutcomeResource(RestResource):
    """scheduled, accepted, written, confirmed (the server has processed it), lost (with a session, and nobody knows), reflected (a room
    has shown it), delivered (by its receipt), or refused, and why.
    """

    outcome: Outcome | None = None

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def resource_exists(self) -> bool:
        sender = self._sender()
        try:
            self.outcome = self._outcome_of(sender) or self._outcome_of_hooks(sender) if sender else None
        except StorageError as e:
            self.fail_for(storage_failed(e))
        if self.outcome is None:
            remedy = "write an id that the answer to a message or presence had as Stanza-Id, with the credentials that sent it"
            self.fail(failure("outcome", remedy=remedy))
        return True

    def _outcome_of(self, sender: JID) -> Outcome | None:
        if (outcome := self.services.sending.outcome(sender, self.args["id"])) is not None:
            return outcome
        waiting = self.gateway.parts.scheduled.of_stanza(sender.bare, self.args["id"])
        return None if waiting is None else Outcome("scheduled", waiting.made)

    def _outcome_of_hooks(self, caller: JID) -> Outcome | None:
        """The same of what the caller's hooks have said as another address (hooks §8)."""
        parts, own = self.gateway.parts, caller.bare
        addresses = {hook.speaks_as for hook in parts.hooks.of(own)} if self.caller.kind is CallerKind.ACCOUNT else set()
        if self.caller.admin:
            addresses.add(self.gateway.settings.hooks.address)
        found = (parts.sending.outcome(address, self.args["id"]) for address in addresses - {own})
        return next((outcome for outcome in found if outcome is not None), None)

    def _sender(self) -> JID | None:
        """The caller; with the component token, whom `?from=` names."""
        named = self.request.args.get("from")
        if self.caller.kind is not CallerKind.COMPONENT or named is None:
            return self.caller.jid
        try:
            sender = parse_jid(named)
        except InvalidJID:
            return None
        return sender if sender.domain in self.gateway.settings.domains else None  # accounts-anywhere §7.2: else the account's own to ask

    def to_json(self) -> dict[str, Any]:
        outcome = self.outcome
        assert outcome is not None
        since = datetime.fromtimestamp(outcome.since, UTC).isoformat(timespec="milliseconds")
        answer: dict[str, Any] = {"id": self.args["id"], "state": outcome.state, "since": since}
        if (shown := outcome.shown) is not None:
            stanza_id = {"id": shown.stanza_id, "by": shown.room} if shown.stanza_id else None
            return answer | {"room": shown.room, "nick": shown.nick, "stanza_id": stanza_id}
        if outcome.refusal is None:
            return answer
        return answer | {"error": {k: v for k, v in condition_of(outcome.refusal)._asdict().items() if v}}
