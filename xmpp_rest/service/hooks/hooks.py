"""The hooks of the gateway: finding, making, changing and removing them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from drivers import Driver, StorageError, Table
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.configured import Configured, next_number
from xmpp_rest.service.hooks.draft import Draft
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.known import PAGE, KnownHooks
from xmpp_rest.service.hooks.stored import HOOK, HOOK_TOKEN, StoredHook, read_stored, read_target, user_of
from xmpp_rest.service.hooks.tokens import hash_of, new_token
from xmpp_rest.service.hooks.uses import HookUse, Uses

log = logging.getLogger("xmpp_rest.hooks")


class Hooks(KnownHooks):
    """All hooks of the gateway. Methods raise StorageError."""

    def __init__(self, driver: Driver, settings: Settings, remote: Remote, incidents: Incidents, is_admin: Callable[[JID], bool]) -> None:
        super().__init__(driver, settings, is_admin)
        self._remote = remote
        self._incidents = incidents
        self.uses = Uses(driver, self._domain, remote)
        self.changed = Signal[Hook]("hook-changed", incidents)
        """The hook has other members; in the leader."""
        self.removed = Signal[Hook]("hook-removed", incidents)
        """The hook is no longer there; in the leader."""
        remote.offer(self)

    def configure(self, settings: Settings) -> None:
        """Work by these settings from now on; those who listen hear of the hooks that this has changed."""
        before = self._configured
        speak_otherwise = _addresses(settings) != _addresses(self._settings)
        try:
            after = Configured(settings)
        except (OSError, ValueError) as e:  # a template has gone since the configuration was checked
            self._incidents.report(log, "hook-template", "the hooks of the configuration stay as they were: %s", e)
            after = before
        self._settings, self._configured = settings, after
        if self._remote.follows():
            return
        try:
            for old, new in self._compared(before, after):
                (self.removed if new is None else self.changed).emit(new or old)
            for hook in self._all() if speak_otherwise else ():
                if hook.name not in after:
                    self.changed.emit(hook)
        except StorageError as e:
            self._incidents.report(log, "hook-untold", "that the configuration has changed hooks is not told: %s", e)

    def _compared(self, before: Configured, after: Configured) -> Iterator[tuple[Hook, Hook | None]]:
        """The hooks of the configuration that are not as before, and as they are now."""
        for name in before:
            old, new = before.get(name, self._driver, self._domain), after.get(name, self._driver, self._domain)
            if old is not None and (new is None or replace(new, made=old.made) != old):
                yield old, new

    # -- changing

    def make(self, name: str, draft: Draft) -> tuple[Hook, str]:
        """A new hook, and its token, which nobody is told again. Raises GatewayError: hook-exists, hooks-full."""
        self._require_free(name)
        number, token = next_number(self._driver, self._domain), new_token()
        now = self._now_of(draft.owner)
        stored = _stored(name, draft, hash_of(token), number, now, now, 1)
        self._driver.store(stored.hash, self._domain, HOOK_TOKEN, {"hook": name})
        kept = False
        try:
            self._own(draft.owner, name)
            gone = self._put_new(stored)
            kept = True
        finally:
            if not kept:
                self._driver.store(stored.hash, self._domain, HOOK_TOKEN, None)
                self._disown(draft.owner, name)
        if gone is not None:
            self._clear(gone, but=draft.owner)
        hook = self._hook(stored)
        self._tell(stored, removed=False)
        return hook, token

    def _require_free(self, name: str) -> None:
        if self.named(name) is not None:
            raise GatewayError("hook-exists", f"There is a hook with the name {name} already")

    def _put_new(self, stored: StoredHook) -> StoredHook | None:
        """Write a hook that is not there; the one of this name whose time was over."""
        gone: StoredHook | None = None

        def put(table: Table | None) -> Table:
            nonlocal gone
            gone = None if table is None else read_stored(user_of(stored.name), table)
            if gone is not None and not self._hook(gone).has_expired:
                raise GatewayError("hook-exists", f"There is a hook with the name {stored.name} already")
            return stored.to_table()

        self._driver.update(user_of(stored.name), self._domain, HOOK, put)
        return gone

    def replace(self, hook: Hook, draft: Draft, version: int | None = None) -> Hook:
        """Give a hook other members; its token stays. `version`: only if nobody has changed it since.

        Raises GatewayError: hook-unknown, hook-configured, hooks-full; hook-changed.
        """
        self.require_own(hook)
        owner, now = self._owner(hook), self._now_of(draft.owner)
        if draft.owner != owner:
            self._own(draft.owner, hook.name)

        def change(old: StoredHook) -> StoredHook:
            owned = old.owned if old.owner == draft.owner else now
            return _stored(old.name, draft, old.hash, old.number, old.made, owned, old.version + 1)

        try:
            stored = self._change(hook, change, version)
        except Exception:
            if draft.owner != owner:
                self._disown(draft.owner, hook.name)
            raise
        if draft.owner != owner:
            self._disown(owner, hook.name)
        self._tell(stored, removed=False)
        return self._hook(stored)

    def renew(self, hook: Hook) -> str:
        """A new token; the old one is no longer good. Raises GatewayError: hook-unknown, hook-configured."""
        self.require_own(hook)
        token, old = new_token(), ""

        def change(stored: StoredHook) -> StoredHook:
            nonlocal old
            old = stored.hash
            return replace(stored, hash=hash_of(token))

        self._driver.store(hash_of(token), self._domain, HOOK_TOKEN, {"hook": hook.name})
        try:
            self._change(hook, change)
        except Exception:
            self._driver.store(hash_of(token), self._domain, HOOK_TOKEN, None)
            raise
        self._driver.store(old, self._domain, HOOK_TOKEN, None)
        return token

    def remove(self, hook: Hook, version: int | None = None) -> None:
        """Remove a hook. Raises GatewayError: hook-unknown, hook-configured; hook-changed."""
        self.require_own(hook)
        gone = self._change(hook, lambda _: None, version)
        self._clear(gone)

    def end_of(self, account: JID) -> None:
        """Remove the hooks of an account, which ends."""
        for name in self._owned.names(account):
            stored = self._stored.read(user_of(name), self._domain)
            if stored is not None and stored.owner == account:
                try:
                    self._clear(self._change(self._hook(stored), lambda _: None))
                except GatewayError as e:  # somebody else was first
                    log.info("the hook %s of %s is not removed: %s", name, account, e)

    def _change(self, hook: Hook, change: Callable[[StoredHook], StoredHook | None], version: int | None = None) -> StoredHook:
        """Change a hook in one transaction; as it is then, or as it was if there is none.

        Raises GatewayError: hook-unknown, hook-changed.
        """
        result: StoredHook | None = None

        def apply(table: Table | None) -> Table | None:
            nonlocal result
            old = None if table is None else read_stored(user_of(hook.name), table)
            if old is None or old.number != hook.number:
                raise GatewayError("hook-unknown")
            if version is not None and old.version != version:
                raise GatewayError("hook-changed")
            new = change(old)
            result = new or old
            return None if new is None else new.to_table()

        self._driver.update(user_of(hook.name), self._domain, HOOK, apply)
        assert result is not None
        return result

    def _clear(self, gone: StoredHook, but: JID | None = None) -> None:
        """Remove what else is kept of a hook that is no longer there. `but`: this account has a new one of its name."""
        self._driver.store(gone.hash, self._domain, HOOK_TOKEN, None)
        if gone.owner != but:
            self._disown(gone.owner, gone.name)
        self._tell(gone, removed=True)

    def _now_of(self, owner: JID | None) -> float:
        """The time, but not before the account was made: another machine's clock may be ahead of this one's."""
        created = self._accounts.get(owner.local, owner.domain) if owner is not None else None
        return max(time.time(), created or 0.0)

    def _own(self, owner: JID | None, name: str) -> None:
        if owner is not None:
            self._owned.add(owner, name, self._settings.hooks.per_account, lambda known: self._is_of(owner, known))

    def _is_of(self, owner: JID, name: str) -> bool:
        stored = self._stored.get(user_of(name), self._domain)
        return stored is not None and stored.owner == owner and not self._hook(stored).has_expired

    def _disown(self, owner: JID | None, name: str) -> None:
        if owner is not None and not self._is_of(owner, name):
            self._owned.discard(owner, name)

    def _owner(self, hook: Hook) -> JID | None:
        return None if hook.owner == self._settings.hooks.address else hook.owner

    def require_own(self, hook: Hook) -> None:
        """Raises GatewayError, hook-configured, for a hook that only the configuration changes."""
        if hook.name in self._configured:
            raise GatewayError("hook-configured", f"The hook {hook.name} is one of the configuration: change it there")

    # -- use

    def delivered(self, hook: Hook) -> int:
        """Note that a request of this hook was delivered; its running number among them, 0 if nobody could count it."""
        try:
            return self.uses.count(hook.name, hook.number)
        except (StorageError, GatewayError) as e:
            self._incidents.report(log, "hook-uncounted", "that the hook %s was used is not noted: %s", hook.name, e)
            return 0

    def uses_of(self, hooks: Sequence[Hook]) -> list[HookUse]:
        """How often each of these was used, and when last. Raises GatewayError."""
        found: list[HookUse] = []
        for first in range(0, len(hooks), PAGE):
            found += self.uses.all_of([(hook.name, hook.number) for hook in hooks[first : first + PAGE]])
        return found

    def _tell(self, stored: StoredHook, *, removed: bool) -> None:
        """Have the leader emit the signal. The change is made, whatever becomes of that."""
        try:
            self._emit(user_of(stored.name), stored.to_table(), removed)
        except GatewayError as e:
            self._incidents.report(log, "hook-untold", "that the hook %s was changed is not told: %s", stored.name, e)

    @on_leader(repeatable=True)
    def _emit(self, user: str, table: dict[str, Any], removed: bool) -> None:
        stored = read_stored(user, table)
        if stored is None:
            return
        hook = self._hook(stored)
        if removed:
            self.uses.removed(hook.name, hook.number)
        (self.removed if removed else self.changed).emit(hook)


def _addresses(settings: Settings) -> tuple[object, ...]:
    """What decides as whom hooks speak that have no address of their own."""
    return settings.hooks.address, settings.auth.admins


def _stored(name: str, draft: Draft, hashed: str, number: int, made: float, owned: float, version: int) -> StoredHook:
    return StoredHook(
        name, hashed, draft.owner, draft.speaks_as, tuple(map(read_target, draft.targets)), number, made, owned, version,
        draft.format, draft.template, draft.nick, draft.update, draft.rate, draft.secret, draft.get, draft.expires,
    )  # fmt: skip
