"""`/rest/session` and `/rest/sessions`: sessions of accounts of other servers (accounts-anywhere §7.1, §7.6)."""

from __future__ import annotations

from typing import Any, NoReturn

from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.resource import RestResource
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.builder import construct
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import JSON
from xmpp_rest.protocol.datetimes import write_milliseconds
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.sessions.ends import ADMINISTERED, LOGGED_OUT
from xmpp_rest.service.sessions.session_views import SessionView


class SessionsResource(RestResource):
    """Base of the three. The answer is JSON, whatever Accept says."""

    ignored_fields = frozenset({"Accept"})

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> NoReturn:
        try:
            value = self.show()
        except GatewayError as e:
            self.fail_for(e)
        raise Stop(construct({"Content-Type": JSON, "Cache-Control": "no-store"}, dump_json(value), 200))

    def show(self) -> dict[str, Any]:
        """The body. May raise GatewayError."""
        raise NotImplementedError

    def end(self, account: JID, reason: str) -> bool:
        """End the session of a bare address; whether there was one."""
        try:
            return self.gateway.parts.session_views.end(account, reason)
        except GatewayError as e:
            self.fail_for(e)


class OwnSession(SessionsResource):
    """`/rest/session`: the caller's own, which is there once the credentials are good."""

    def allowed_methods(self) -> list[str]:
        return ["DELETE", "GET", "HEAD", "OPTIONS"]

    def resource_exists(self) -> bool:
        if self.caller.kind is not CallerKind.FOREIGN:
            self.fail(failure("no-session"))
        return True

    def show(self) -> dict[str, Any]:
        view = self.gateway.parts.session_views.of(self.caller.jid)
        if view is None:  # it has ended since
            raise GatewayError("session-lost", f"The session at {self.caller.jid.domain} broke off; try again")
        has_archive = self.gateway.parts.server_features.of(view.jid).archive
        return {
            "jid": str(view.jid), "since": write_milliseconds(view.since), "archive": has_archive, "presence": view.presence,
            "streams": view.streams, "waiting": view.waiting, "resumable": view.resumable,
        }  # fmt: skip

    def delete_resource(self) -> bool:
        self.end(self.caller.jid, LOGGED_OUT)
        return True


class AdministeredSessions(SessionsResource):
    """Base of what is for administrators."""

    takes_foreign = False

    def refuse_elsewhere(self, text: str) -> NoReturn:
        self.fail(failure("admin"))

    def forbidden(self) -> bool:
        if super().forbidden():
            return True
        if self._denial is None and self.request.method != "OPTIONS" and not self.caller.admin:
            self.fail(failure("admin"))
        return False


class SessionList(AdministeredSessions):
    """`GET /rest/sessions`"""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def show(self) -> dict[str, Any]:
        every = self.gateway.parts.session_views.all()
        sessions = [_described(view) for view in every.sessions]
        return {"total": len(sessions), "max": every.most, "sessions": sessions, "domains": [view._asdict() for view in every.domains]}


class OneSession(AdministeredSessions):
    """`DELETE /rest/sessions/{jid}`"""

    def allowed_methods(self) -> list[str]:
        return ["DELETE", "OPTIONS"]

    def delete_resource(self) -> bool:
        try:
            account = parse_jid(self.args["jid"]).bare
        except InvalidJID:
            self.fail(failure("session-unknown"))
        if not self.end(account, ADMINISTERED):
            self.fail(failure("session-unknown"))
        return True


def _described(view: SessionView) -> dict[str, Any]:
    times = {name: write_milliseconds(getattr(view, name)) for name in ("since", "used", "proven")}
    return {
        "jid": str(view.jid), "server": view.server, "tls": view.tls, **times, "streams": view.streams, "waiting": view.waiting,
        "presence": view.presence,
    }  # fmt: skip
