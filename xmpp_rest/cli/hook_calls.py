"""What the leader does for `xmpp-rest hook`; values are JSON."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.hooks.bodies import BadBody, read_value
from xmpp_rest.api.hooks.failures import told
from xmpp_rest.auth.rights import Principal
from xmpp_rest.cli.runner import PLACE
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.hooks.choosing import choose_format
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.members import Asker, BadMember, MemberReader, name_in
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.requests import RateExceeded
from xmpp_rest.service.hooks.said import NothingToSay
from xmpp_rest.service.hooks.testing import send_test

NOBODY = Asker(None, admin=True)
"""Who may open the socket in the data folder acts as an administrator, without an account."""


class HookCalls:
    """Hooks by the command line. Methods raise GatewayError, StorageError."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def _remote(self) -> Remote:
        return self._gateway.parts.remote

    @property
    def _hooks(self) -> Hooks:
        return self._gateway.parts.hooks

    @on_leader(of_node=True)
    def add(self, members: dict[str, Any]) -> str:
        """Make a hook; its token."""
        parts = self._gateway.parts
        reader = MemberReader(self._gateway.settings, parts.accounts.exists, parts.authenticator.is_admin, parts.sayings.check_template)
        try:
            name = name_in(members)
            draft = reader.read(members, NOBODY)
        except BadMember as e:
            raise GatewayError("hook-member", str(e)) from e
        token = self._hooks.make(name, draft)[1]
        _audit("hook_add", list(members.items()))
        return token

    @on_leader(of_node=True)
    def listed(self) -> list[list[str]]:
        """Name, owner, format and targets of each hook, by name."""
        return [[h.name, str(h.owner), h.format, ",".join(map(str, h.targets))] for h in self._hooks.of(None)]

    @on_leader(of_node=True)
    def remove(self, name: str) -> None:
        """Remove a hook."""
        self._hooks.remove(self._named(name))
        _audit("hook_remove", [("name", name)])

    @on_leader(of_node=True)
    def renew(self, name: str) -> str:
        """A new token of a hook."""
        token = self._hooks.renew(self._named(name))
        _audit("hook_token", [("name", name)])
        return token

    @on_leader(of_node=True)
    def test(self, name: str, payload: str | None) -> list[dict[str, Any]]:
        """Send the test message, or this (bytes as Latin-1) as if it had been POSTed; the results."""
        hook = self._named(name)
        if payload is None:
            return told(send_test(hook, self._gateway.parts.hook_sender).results)
        try:
            delivered = self._gateway.parts.hook_requests.handle(hook, _read(hook, payload.encode("latin-1")))
        except (BadBody, NothingToSay, RateExceeded) as e:
            raise GatewayError("hook-payload", str(e)) from e
        return told(delivered.results)

    def _named(self, name: str) -> Hook:
        hook = self._hooks.named(name)
        if hook is None:
            raise GatewayError("hook-unknown", f"There is no hook {name[:100]}")
        return hook


def _audit(what: str, given: list[tuple[str, Any]]) -> None:
    record(Principal(), PLACE, what, given, 200)


def _read(hook: Hook, body: bytes) -> Payload:
    """What a body says that is POSTed without a type. Raises BadBody."""
    value = read_value(body, "", only_text=hook.format == "text").value
    return Payload(choose_format("", hook, {}, value), value)
