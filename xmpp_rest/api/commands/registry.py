"""The registry of commands: the function of each in each version (commands-api §6, §15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.errors import internal_command, unknown_command

Run = Callable[..., Any]
"""Called with the services and the converted arguments in the order of the definition."""


class Implementation(NamedTuple):
    """A function for the declaration of this name and version."""

    name: str
    version: int
    run: Run


def command(name: str, version: int = 0) -> Callable[[Run], Implementation]:
    """Mark a function as what runs the command that the catalogue declares under `name` and `version`."""
    return lambda run: Implementation(name, version, run)


class Command(NamedTuple):
    """A declaration, and what runs it."""

    definition: Definition
    run: Run


class Registry:
    """Declarations put together with functions; nothing changes once it is made."""

    def __init__(self, definitions: Iterable[Definition], bound: Iterable[Implementation]) -> None:
        """Raises ValueError for a function without declaration, or two for one."""
        self._by_name: dict[str, list[Definition]] = {}
        for d in sorted(definitions, key=lambda d: d.version):
            self._by_name.setdefault(d.name, []).append(d)
        self._run: dict[tuple[str, int], Run] = {}
        for b in bound:
            if (b.name, b.version) in self._run or b.version not in (d.version for d in self._by_name.get(b.name, ())):
                raise ValueError(f"{b.name} v{b.version} is bound twice, or not declared")
            self._run[b.name, b.version] = b.run
        self.names = frozenset(self._by_name)
        self.tags = frozenset(tag for ds in self._by_name.values() for d in ds for tag in d.tags)
        self.newest = max(d.version for ds in self._by_name.values() for d in ds)
        self._found = {(name, v): self._find(name, v) for name in self._by_name for v in range(self.newest + 1) if self._runs(name, v)}

    def knows(self, name: str) -> bool:
        """Whether any version of this command is declared, offered or not."""
        return name in self._by_name

    def find(self, name: str, version: int) -> Command:
        """The newest declaration up to `version`, and its function. Raises CommandFailure: unknown_command, internal command."""
        return self._found.get((name, version)) or self._find(name, version)

    def _find(self, name: str, version: int) -> Command:
        definition = self._declared(name, version)
        if definition is None:
            raise unknown_command(f"{name} is there from version {self._by_name[name][0].version} on; this call is of version {version}")
        if definition.internal:
            raise internal_command()
        run = self._run.get((name, definition.version))
        if run is None:
            raise unknown_command(f"The gateway does not offer {name}; `xmpp-restctl help commands` lists what it does")
        return Command(definition, run)

    def _runs(self, name: str, version: int) -> bool:
        """Whether there is something to run for a call of this version."""
        declared = self._declared(name, version)
        return declared is not None and not declared.internal and (name, declared.version) in self._run

    def _declared(self, name: str, version: int) -> Definition | None:
        return next((d for d in reversed(self._by_name.get(name, ())) if d.version <= version), None)

    def older(self, name: str, version: int) -> list[Command]:
        """What can be run of this name in versions below `version`, the newest first."""
        return [self.find(name, d.version) for d in reversed(self._by_name[name]) if d.version < version and (name, d.version) in self._run]

    def of_version(self, version: int) -> list[Command]:
        """All that a call of this version can run, by name."""
        return [self.find(name, v) for name, v in sorted(self._found) if v == version]

    def offers(self) -> list[Command]:
        """All that can be run, by name and version."""
        keys = ((d.name, d.version) for _, ds in sorted(self._by_name.items()) for d in ds)
        return [self.find(*key) for key in keys if key in self._run]
