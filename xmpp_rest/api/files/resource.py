"""The base of the resources of files below /rest: credentials as there, errors as problem documents (files §2)."""

from __future__ import annotations

from typing import Any, NoReturn

from flask import Response

from drivers import StorageError
from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.failures import retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.rest.denied import error_of_credentials
from xmpp_rest.api.rest.errors import RestFailure, failure_of
from xmpp_rest.api.rest.resource import Failed
from xmpp_rest.auth.authorization import REST, read_authorization
from xmpp_rest.auth.caller import Caller, CallerKind, Denial, DenialReason
from xmpp_rest.errors import ERRORS, GatewayError, storage_failed
from xmpp_rest.http.problem import render_problem
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.files.refused import FileRefused


class FilesResource(Authenticated):
    """Base of what accounts do with files. Answers are JSON, whatever Accept says."""

    policy = REST
    elsewhere = "Files of accounts of {domain} are kept by its own upload service; here are those of {hosted} only"
    ignored_fields = frozenset({"Accept"})
    received = b""  # what a key of Idempotency-Key is for, beside the file

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def authenticate(self) -> Caller | Denial:
        who = super().authenticate()
        if isinstance(who, Denial) and who.reason is DenialReason.WRONG:
            named = error_of_credentials(read_authorization(self.authorization), self.gateway.settings.gateway.domain)
            return Denial(DenialReason.MISSING) if named == "noauthz" else who  # RFC 9110 §11.6.1
        return who

    def refuse_elsewhere(self, text: str) -> NoReturn:
        self.refuse(403, text, ERRORS["elsewhere"].condition)

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def actor(self, of: JID | None, sender: JID | None = None) -> JID:
        """Who acts: the caller, or whom `of` or `from` names where the credentials let them. Stops with 403."""
        caller = self.caller
        if caller.session is not None:
            return self._session(of, sender, caller.session)
        actor = caller.jid
        if of is not None and of.bare != caller.jid:
            if not caller.admin and caller.kind is not CallerKind.COMPONENT:
                self.refuse(403, f"of: these credentials are those of {caller.jid}", "forbidden")
            if of.domain != self.gateway.settings.gateway.domain:
                self.refuse(403, f"of: {of.bare} is not at {self.gateway.settings.gateway.domain}, which this gateway hosts", "forbidden")
            actor = of.bare
        if sender is None:
            return actor
        if any(own and own != part for own, part in zip(actor, sender, strict=True)):
            self.refuse(403, f"from: these credentials may send as {actor}", "forbidden")
        return sender

    def _session(self, of: JID | None, sender: JID | None, session: JID) -> JID:
        """The address by which an account elsewhere sends: that of its session alone (accounts-anywhere §7.1)."""
        for name, given in (("of", of), ("from", sender)):
            if given is not None and given not in (session.bare, session):
                self.refuse(403, f"{name}: these credentials may send as {session}", "forbidden")
        return session

    def whose(self) -> JID:
        """The account that `?of=` names, else that of the caller. Stops with 403, 422."""
        named = self.request.args.get("of")
        if named is None:
            return self.actor(None).bare
        try:
            return self.actor(parse_jid(named)).bare
        except InvalidJID as e:
            self.refuse(422, f"of: {named[:100]!r} is not an address: {e}", "jid-malformed")

    # errors

    def refuse(self, status: int, detail: str, condition: str = "", retry_after: int | None = None, **members: Any) -> NoReturn:
        """End the request with a problem document; nothing was sent."""
        raise Failed(_problem(status, detail, condition, retry_after, members), RestFailure(status, condition=condition, text=detail))

    def refuse_for(self, refused: FileRefused) -> NoReturn:
        """End the request as the store says."""
        self.refuse(refused.status, refused.detail, refused.condition, refused.retry_after, **refused.members)

    def fail(self, error: RestFailure, **fields: str) -> NoReturn:
        """End the request with this error of /rest."""
        context = error.context or {}
        said = ": ".join(str(text) for text in (error.text, context.get("error"), context.get("remedy")) if text)
        response = _problem(error.status, said, error.condition, None, {})
        response.headers.update(fields)
        raise Failed(response, error)

    def fail_for(self, error: GatewayError) -> NoReturn:
        """End the request with a service's error."""
        self.fail(failure_of(error), **retry_after(error))

    def fail_storage(self, error: StorageError) -> NoReturn:
        """End the request, as the storage has failed."""
        self.fail_for(storage_failed(error, "The storage failed; nothing was sent"))


def failed(error: GatewayError) -> Response:
    """A service's error where no resource answers it: credentials of an account whose server cannot be reached."""
    return _problem(error.row.status, error.text, error.row.condition, error.retry_after, {})


def _problem(status: int, detail: str, condition: str, retry: int | None, members: dict[str, Any]) -> Response:
    named = {"condition": condition} if condition else {}
    body, content_type = render_problem(status, {"detail": detail} | named | members)
    fields = {"Cache-Control": "no-store"} | ({} if retry is None else {"Retry-After": str(retry)})
    return Response(body, status, fields, content_type=content_type)
