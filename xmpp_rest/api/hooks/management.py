"""Managing hooks: `/hooks`, `/hooks/NAME`, `/hooks/NAME/token`, `/hooks/NAME/test` (hooks §4)."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from flask import Response
from werkzeug.exceptions import RequestEntityTooLarge

from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.answers import Asked
from xmpp_rest.api.hooks.credentials import NO_HOOKS
from xmpp_rest.api.hooks.failures import refused
from xmpp_rest.api.hooks.native import NativeAnswers
from xmpp_rest.api.own_address import base_path, base_url
from xmpp_rest.auth.authorization import HOOKS
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import ERRORS, RETRY_AFTER, GatewayError
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.request import BadCoding, read_body
from xmpp_rest.http.resource import Created, Stop
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.strict_json import BadJSON, read_json
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.members import Asker, BadMember, MemberReader, NotAllowed, name_in, to_json
from xmpp_rest.service.hooks.testing import send_test

MAX_BODY = 65_536  # bytes
JSON = ("application", "json", "*")
DETAILS = {
    400: "A field of the request cannot be read",
    404: ERRORS["hook-unknown"].text,
    406: "The answer is application/json",
    412: "A condition of the request does not hold",
    415: "Content-Type must be application/json, and Content-Encoding gzip, deflate or none",
}
"""The details of what the state machine answers."""


class Management(Authenticated):
    """Base of the resources by which hooks are managed: for accounts, with errors as problem documents."""

    policy = HOOKS
    elsewhere = NO_HOOKS
    making: ClassVar[frozenset[str]] = frozenset(("POST", "PUT"))
    """The methods that are for those who may make hooks."""
    uses = dict.fromkeys(("GET", "HEAD", "POST", "PUT", "DELETE"), Use.ADMINISTER)

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @property
    def hooks(self) -> Hooks:
        """All hooks."""
        return self.gateway.parts.hooks

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(JSON, "to_json")]

    def content_types_accepted(self) -> list[tuple[Any, str]]:
        return [(JSON, "from_json")]

    def admits(self, caller: Caller) -> bool:
        if caller.jid == self.gateway.settings.hooks.address and not caller.admin:
            self.problem["detail"] = "The hooks of [hooks] address are those of the administrators, also where an account has this name"
            return False
        if self.request.method not in self.making or caller.admin or self.gateway.settings.hooks.who == "account":
            return True
        self.problem["detail"] = "Only administrators make hooks here ([hooks] who)"
        return False

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        if status in DETAILS:
            self.problem.setdefault("detail", DETAILS[status])
        return super().render_error(status)

    def fail(self, status: int, detail: str, **members: str) -> NoReturn:
        """End the request with a problem document."""
        body, content_type = render_problem(status, {"detail": detail, **members})
        raise Stop(Response(body, status, content_type=content_type))

    def fail_for(self, error: BadMember) -> NoReturn:
        """End the request because of a member."""
        self.fail(403 if isinstance(error, NotAllowed) else 422, str(error), member=error.member)

    @property
    def asker(self) -> Asker:
        """The caller, as those see it who decide what it may set."""
        return Asker(self.caller.jid, self.caller.admin)

    @property
    def reader(self) -> MemberReader:
        """What reads the members of hooks."""
        parts = self.gateway.parts
        return MemberReader(self.gateway.settings, parts.accounts.exists, parts.authenticator.is_admin, parts.sayings.check_template)

    def body(self) -> dict[str, Any]:
        """The members of the object in the body."""
        try:
            value = read_json(read_body(self.request, MAX_BODY))
        except RequestEntityTooLarge:
            self.fail(413, f"The body is larger than {MAX_BODY} bytes")
        except BadCoding as e:
            self.fail(400, str(e.description))
        except BadJSON as e:
            self.fail(400, str(e))
        if not isinstance(value, dict):
            self.fail(400, "The body is not a JSON object")
        return value

    def shown(self, hook: Hook) -> dict[str, Any]:
        """The hook as answers have it."""
        (use,) = self.hooks.uses_of([hook])
        return to_json(hook, use)

    def address_of(self, hook: Hook) -> str:
        """The path of the hook, as clients see it."""
        return f"{base_path(self.request, self.gateway)}/hooks/{hook.name}"

    def secret_of(self, token: str) -> dict[str, str]:
        """The token, and the URL with it."""
        return {"token": token, "url": f"{base_url(self.request, self.gateway)}/hooks/{token}"}

    def make(self, name: str, body: dict[str, Any]) -> Hook:
        """Make a hook, and put it into the answer with its token."""
        try:
            draft = self.reader.read({**body, "name": name}, self.asker)
        except BadMember as e:
            self.fail_for(e)
        hook, token = self.hooks.make(name, draft)
        self.set_body(self.shown(hook) | self.secret_of(token))
        self.set_field("Location", self.address_of(hook))
        return hook


class HookList(Management):
    """`/hooks`: the caller's hooks, and new ones."""

    always_creates = frozenset(("POST",))

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "POST"]

    def to_json(self) -> dict[str, Any]:
        hooks = self.hooks.of(self._owner())
        uses = self.hooks.uses_of(hooks)
        return {"count": len(hooks), "hooks": [to_json(hook, use) for hook, use in zip(hooks, uses, strict=True)]}

    def _owner(self) -> JID | None:
        """Whose hooks are asked for; None: everybody's."""
        written = self.request.args.get("owner")
        if written is None:
            return None if self.caller.admin else self.caller.jid
        try:
            owner = parse_jid(written)
        except InvalidJID as e:
            self.fail(400, f"owner={written[:100]!r}: {e}")
        if owner != self.caller.jid and not self.caller.admin:
            self.fail(403, "Only administrators see the hooks of others")
        return owner

    def from_json(self) -> Created:
        body = self.body()
        try:
            name = name_in(body)
        except BadMember as e:
            self.fail_for(e)
        return Created(self.address_of(self.make(name, body)))


class HookResource(Management):
    """Base of what is below a hook's name. A hook of somebody else is as one that is not there."""

    @cached_property
    def hook(self) -> Hook | None:
        """The hook of this name, if the caller may see it."""
        hook = self.hooks.named(self.args["name"])
        return hook if hook is not None and (self.caller.admin or hook.owner == self.caller.jid) else None

    @property
    def there(self) -> Hook:
        """The hook, which is there."""
        if self.hook is None:
            raise GatewayError("hook-unknown")
        return self.hook

    def resource_exists(self) -> bool:
        return self.hook is not None

    def allow_missing_post(self) -> bool:
        return False


class HookItem(HookResource):
    """`/hooks/NAME`: one hook."""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]

    @cached_property
    def version(self) -> int:
        """That of the members of the hook, as it was when the request came."""
        return self.hooks.version(self.there)

    def generate_etag(self) -> str:
        """Of what a PUT can set: deliveries do not change it."""
        shown = {k: v for k, v in self.shown(self.there).items() if k not in ("used", "deliveries")}
        digest = hashlib.sha256(dump_json([shown, self.there.number, self.version])).hexdigest()
        return f'"{digest[:24]}"'

    def to_json(self) -> dict[str, Any]:
        return self.shown(self.there)

    def is_conflict(self) -> bool:
        if self.hook is not None:
            self.hooks.require_own(self.hook)
        return False

    def from_json(self) -> bool:
        body = self.body()
        try:
            name = name_in(body, self.args["name"])
        except BadMember as e:
            self.fail_for(e)
        if self.hook is None:
            if self.hooks.named(name) is not None:
                raise GatewayError("hook-unknown", f"The name {name} belongs to a hook of somebody else")
            self.make(name, body)
            return True
        try:
            draft = self.reader.read(body, self.asker, self.hook)
        except BadMember as e:
            self.fail_for(e)
        self.set_body(self.shown(self.hooks.replace(self.hook, draft, self._expected)))
        return True

    def delete_resource(self) -> bool:
        self.hooks.remove(self.there, self._expected)
        return True

    @property
    def _expected(self) -> int | None:
        """The version that the hook must still have, where the request has a condition."""
        return self.version if "HTTP_IF_MATCH" in self.request.environ else None


class HookToken(HookResource):
    """`/hooks/NAME/token`: a new token."""

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "POST"]

    def content_types_accepted(self) -> list[tuple[Any, str]]:
        return [("*", "renew")]

    def renew(self) -> bool:
        """Whatever the body is, it says nothing."""
        self.set_body(self.secret_of(self.hooks.renew(self.there)))
        return True


class HookTest(HookResource):
    """`/hooks/NAME/test`: sends the test message."""

    making = frozenset()

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "POST"]

    def content_types_accepted(self) -> list[tuple[Any, str]]:
        return [("*", "send")]

    def send(self) -> NoReturn:
        """Whatever the body is, it says nothing. Answered as a request to the hook would be, of the format json."""
        delivered = send_test(self.there, self.gateway.parts.hook_sender)
        asked, native = Asked(self.there, delivered.format), NativeAnswers()
        answer = native.delivered(asked, delivered) if delivered.anybody else native.failed(asked, refused(delivered.results))
        fields = {"Retry-After": str(RETRY_AFTER)} if answer.status == 503 else {}
        raise Stop(Response(answer.body, answer.status, fields, content_type=answer.type))
