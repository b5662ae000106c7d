"""`/notify` as the Apprise API has it (hooks §15)."""

from __future__ import annotations

from functools import cached_property
from typing import NoReturn

from flask import Response

from xmpp_rest.api.apprise.answers import apprise_answer
from xmpp_rest.api.hooks.bodies import BadBody, HookBody
from xmpp_rest.api.hooks.credentials import PREFIX
from xmpp_rest.api.hooks.deliveries import MISSING, NamedDelivery
from xmpp_rest.api.hooks.taking import TakenRequest
from xmpp_rest.http.resource import Stop
from xmpp_rest.request_notes import note_hook
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.said import NothingToSay

KEY_FIELD, RECURSION = "HTTP_X_APPRISE_CONFIG_ID", "HTTP_X_APPRISE_RECURSION_COUNT"
TYPES = frozenset(("info", "success", "warning", "failure"))


class AppriseRequest(TakenRequest):
    """One notification."""

    def read(self, body: bytes) -> HookBody:
        read = super().read(body)
        if not isinstance(read.value, dict):
            raise BadBody("Send JSON, or a form, with the text as body")
        text, kind = read.value.get("body"), read.value.get("type")
        if kind not in (None, "") and not (isinstance(kind, str) and kind in TYPES):
            raise BadBody(f"type must be one of {', '.join(sorted(TYPES))}")
        if not isinstance(text, str) or not text.strip():
            raise NothingToSay("body is required")
        return read


class Notify(NamedDelivery):
    """`/notify/KEY`, or `/notify` with the key in a header field."""

    @cached_property
    def key(self) -> str:
        """The token of a hook, or its name; "" without one. A slash behind it is ignored, as there."""
        key = self.args.get("key", "").removesuffix("/") or self.request.environ.get(KEY_FIELD, "")
        return str(key).strip(" \t")

    @cached_property
    def hook(self) -> Hook | None:
        if self.key.startswith(PREFIX):
            return self.gateway.parts.hooks.by_token(self.key)
        return self.find(self.key) if self.key else None

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "POST"]

    def refuse_unknown(self) -> NoReturn:
        if self.key.startswith(PREFIX):
            self.refuse_token(404, "There is no hook with this token")
        if not self.key:
            detail = f"The key is missing: /notify/KEY, or X-Apprise-Config-ID. {MISSING}"
            self.refuse(401, detail, **{"WWW-Authenticate": self.challenges()})
        super().refuse_unknown()

    def refuse(self, status: int, detail: str, **fields: str) -> NoReturn:
        answer = apprise_answer(status, self.request.environ.get("HTTP_ACCEPT", ""), detail)
        raise Stop(Response(answer.body, status, fields, content_type=answer.type))

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        detail = f"{self.request.method[:40]} is not among the methods of this path"
        answer = apprise_answer(status, self.request.environ.get("HTTP_ACCEPT", ""), detail)
        return answer.body, answer.type

    def deliver(self) -> NoReturn:
        assert self.hook is not None
        note_hook(self.hook.name)
        count = str(self.request.environ.get(RECURSION, "")).strip(" \t")
        if count.isascii() and count.isdigit() and (len(count) > 9 or int(count) > 1):
            self.refuse(406, "The notification came through another Apprise API before: somebody's hook leads back here")
        raise Stop(AppriseRequest(self.gateway, self.request, self.hook, fixed="apprise", token=self.oauth_token).answer())


