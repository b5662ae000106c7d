"""What a topic is, and whether its caller may use it (hooks §13.1): a hook by its token or its name, an account, or an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from functools import partial
from typing import NamedTuple

from xmpp_rest.api.authentication import elsewhere_text
from xmpp_rest.api.eventsource import Admission
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.credentials import PREFIX, token_of_field
from xmpp_rest.api.hooks.unknown import KIND
from xmpp_rest.api.ntfy.credentials import NTFY, NtfyCredentials
from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.auth.caller import Caller, Denial, DenialReason
from xmpp_rest.errors import ERRORS
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.limits.limits import name_of_token

_NAME = re.compile(r"[-_A-Za-z0-9]{1,64}")
DENIED = {DenialReason.MISSING: 40301, DenialReason.WRONG: 40101, DenialReason.FORBIDDEN: 40301, DenialReason.THROTTLED: 42909}


class HookTopic(NamedTuple):
    """A hook. `admission`: whether its caller may use it even later; `token`: the bucket of its OAuth token, "" for none."""

    name: str
    hook: Hook
    admission: Admission
    token: str = ""


class AccountTopic(NamedTuple):
    """An account of the hosted domain, or any other address, to which the caller may write."""

    name: str
    to: JID
    caller: Caller
    field: str | None
    """The caller's Authorization field."""
    admission: Admission


Topic = HookTopic | AccountTopic


def require_name(text: str) -> None:
    """Raise NtfyError, 40009, for what cannot be a topic."""
    if not _NAME.fullmatch(text) and not _is_address(text):
        raise NtfyError(40009)


def _is_address(text: str) -> bool:
    try:
        return "@" in text and bool(parse_jid(text).local)
    except InvalidJID:
        return False


class Topics:
    """Finds topics. Methods raise NtfyError, StorageError."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._parts = gateway.parts

    def find(self, name: str, credentials: NtfyCredentials) -> Topic:
        """The topic of this name, which `require_name` accepts, for a caller with these credentials."""
        hooks = self._parts.hooks
        if name.startswith(PREFIX):
            if (hook := hooks.by_token(name)) is not None:
                return HookTopic(name, hook, _while_it_is_good(("hook", name), partial(hooks.by_token, name), hook))
            self._count_unknown(credentials)
        if credentials.field is None:
            raise NtfyError(40301)
        if (token := token_of_field(credentials.field)) is not None:
            return self._by_token(name, token, credentials)
        caller = self._caller(credentials)
        admission = self._admission(credentials)
        hook = hooks.named(name) if _NAME.fullmatch(name) else None
        if hook is not None and caller.recipients is None and (caller.admin or hook.owner == caller.jid) and hooks.is_usable(hook):
            return HookTopic(name, hook, admission, name_of_token(credentials.field) if caller.by_token else "")
        to = self._address(name)
        if to is None:
            raise NtfyError(40401)
        if not caller.may_send_to(to):
            raise NtfyError(40301)
        return AccountTopic(name, to, caller, credentials.field, admission)

    def _by_token(self, name: str, token: str, credentials: NtfyCredentials) -> HookTopic:
        """The hook of a name whose token the caller has."""
        find = partial(self._parts.hooks.holds, name, token)
        if (hook := find()) is None:
            self._count_unknown(credentials)
            raise NtfyError(40101)
        return HookTopic(name, hook, _while_it_is_good(("hook", name, token), find, hook))

    def _caller(self, credentials: NtfyCredentials) -> Caller:
        who = self._parts.authenticator.check(credentials.field, credentials.address, NTFY, credentials.use)
        if isinstance(who, Denial) and who.account is not None:
            raise NtfyError(40301, elsewhere_text(ERRORS["elsewhere"].text, who.account, self._gateway.settings.gateway.domain))
        if isinstance(who, Denial):
            raise NtfyError(DENIED[who.reason], retry_after=who.retry_after or None)
        return who

    def _admission(self, credentials: NtfyCredentials) -> Admission:
        key = credentials.field, NTFY
        return Admission(key, partial(self._parts.authenticator.still_valid, *key))

    def _address(self, name: str) -> JID | None:
        """The address that a topic means; None for an account that there is not."""
        try:
            if "@" in name:
                return parse_jid(name)
            account = local_jid(name, self._gateway.settings.gateway.domain)
        except InvalidJID:
            return None
        return account if self._parts.accounts.exists(account) else None

    def _count_unknown(self, credentials: NtfyCredentials) -> None:
        """Count an unknown token of a hook against the address that sent it; too many: 42909."""
        if wait := self._parts.authenticator.unknown_token(KIND, credentials.address):
            raise NtfyError(42909, retry_after=wait)


def _while_it_is_good(key: Hashable, find: Callable[[], Hook | None], hook: Hook) -> Admission:
    def check() -> bool:
        return (now := find()) is not None and now.number == hook.number

    return Admission(key, check)
