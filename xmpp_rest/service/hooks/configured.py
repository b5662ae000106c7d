"""Hooks of the configuration: the sections [hook.NAME]."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drivers import Driver, Table
from xmpp_rest.config.hook_check import template_of
from xmpp_rest.config.hook_tables import HookSettings
from xmpp_rest.config.table import Settings
from xmpp_rest.service.hooks.hook import Hook, HookSource
from xmpp_rest.service.hooks.stored import NUMBERS, read_target
from xmpp_rest.service.hooks.tokens import hash_of

LAST = "last"  # in the store of numbers: the last one that was given
OF = "of "  # in front of the name of a hook of the configuration: its number


def next_number(driver: Driver, domain: str, name: str = "") -> int:
    """A number that no hook had; for the `name` of a hook of the configuration always the same. Raises StorageError."""
    own = f"{OF}{name}"
    number = 0

    def take(table: Table | None, _: object) -> Table:
        nonlocal number
        known = table if isinstance(table, dict) else {}
        given = known.get(own) if name else None
        if isinstance(given, int):
            number = given
            return known
        last = known.get(LAST)
        number = (last if isinstance(last, int) else 0) + 1
        return known | {LAST: number} | ({own: number} if name else {})

    driver.update_members(None, domain, NUMBERS, (LAST, own), take)
    return number


class Configured:
    """The hooks of the configuration as it is now; replaced as a whole when it is read again."""

    def __init__(self, settings: Settings) -> None:
        """Raises OSError, ValueError for a template's file."""
        address = settings.hooks.address
        self._sections = {name.lower(): section for name, section in settings.own_hooks.items()}
        self._templates = {name: template_of(section, settings.base) for name, section in self._sections.items()}
        self._names = {hash_of(section.token): name for name, section in self._sections.items()}
        self._address = address
        self._made = Path(settings.file).stat().st_mtime if settings.file else 0.0
        self._hooks: dict[str, Hook] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._sections

    def __iter__(self) -> Iterator[str]:
        return iter(self._sections)

    def name_of(self, hashed: str) -> str | None:
        """The name of the hook whose token has this hash."""
        return self._names.get(hashed)

    def hash_of(self, name: str) -> str:
        """The hash of the token of this hook."""
        return hash_of(self._sections[name].token)

    def get(self, name: str, driver: Driver, domain: str) -> Hook | None:
        """The hook of this name; its number is asked of the storage once. Raises StorageError."""
        section = self._sections.get(name)
        if section is None:
            return None
        if name not in self._hooks:
            self._hooks[name] = self._hook(name, section, next_number(driver, domain, name))
        return self._hooks[name]

    def _hook(self, name: str, section: HookSettings, number: int) -> Hook:
        return Hook(
            name, section.owner or self._address, self._address, tuple(map(read_target, section.targets)), number, self._made,
            section.format, self._templates[name], section.nick, section.update, section.rate, section.secret or None, section.get,
            None, HookSource.CONFIGURATION,
        )  # fmt: skip
