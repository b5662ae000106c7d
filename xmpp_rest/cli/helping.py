"""The help of the command line (commands-api §14)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.help import TOOL, help_text, usage
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.cli.overview import OVERVIEW, USAGE


class Help:
    """The help about the commands of a registry, in one API version."""

    def __init__(self, registry: Registry, version: int | None) -> None:
        number = registry.newest if version is None else version
        offered = [offer.definition for offer in registry.offers()]  # those of one name by version
        self._definitions = {d.name: d for d in offered if d.version <= number}
        self._newest = {d.name: d.version for d in offered}

    def about(self, topic: str) -> str:
        """The text for `help TOPIC`; an overview for ""."""
        name = topic.replace("-", "_")
        if topic in ("", "help"):
            return OVERVIEW
        if topic == "tags":
            return "".join(f"{tag}\n    {', '.join(d.name for d in ds)}\n" for tag, ds in sorted(self._by_tag().items()))
        if topic == "commands":
            return self._lines(self._definitions.values())
        if name in self._definitions:
            return self.of_command(name)
        return self._matching(topic, name)

    def _matching(self, topic: str, pattern: str) -> str:
        found = self._by_tag().get(topic) or [d for d in self._definitions.values() if fnmatchcase(d.name, pattern)]
        return self._lines(found) or f"No tag or command matches '{topic}'\n"

    def usage(self) -> str:
        """The text that is printed without a command."""
        return f"{USAGE}\n\nCommands:\n{self.about('commands')}"

    def of_command(self, name: str) -> str:
        """The help of one command; "" for an unknown one."""
        definition = self._definitions.get(name)
        return help_text(definition, versioned=definition.version < self._newest[name]) if definition else ""

    def nearest(self, name: str) -> str:
        """The command with the most similar name."""
        return difflib.get_close_matches(name, sorted(self._definitions), 1, 0.0)[0]

    def _by_tag(self) -> dict[str, list[Definition]]:
        tags: dict[str, list[Definition]] = {}
        for definition in self._definitions.values():
            for tag in definition.tags:
                tags.setdefault(tag, []).append(definition)
        return tags

    @staticmethod
    def _lines(definitions: Iterable[Definition]) -> str:
        return "".join(f"  {usage(d).removeprefix(f'{TOOL} ')}\n      {d.summary}\n" for d in sorted(definitions, key=lambda d: d.name))
