"""The documents that are served, each by its name: `all`, one for each API, and one for each version of the commands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple, Self

from xmpp_rest.api.client.operations import describe as describe_client
from xmpp_rest.api.commands.operations import describe as describe_commands
from xmpp_rest.api.commands.operations import describe_version
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.api.data.operations import describe as describe_data
from xmpp_rest.api.files.operations import describe as describe_files
from xmpp_rest.api.hooks.operations import describe as describe_hooks
from xmpp_rest.api.ntfy.operations import describe as describe_ntfy
from xmpp_rest.api.oauth.operations import describe as describe_oauth
from xmpp_rest.api.openapi.document import document
from xmpp_rest.api.openapi.model import Description
from xmpp_rest.api.ops.operations import describe as describe_ops
from xmpp_rest.api.post_msg.operations import describe as describe_post_msg
from xmpp_rest.api.rest.operations import describe as describe_rest
from xmpp_rest.api.rooms.operations import describe as describe_rooms
from xmpp_rest.config.table import ClientSettings, CommandsSettings, Settings

ALL = "all"
KEPT = 64  # texts: those of all names, before and after a few changes of the settings
URL = "\0"  # stands for the URL in the text, where nothing else has it
_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Prefixes(NamedTuple):
    """Below which paths APIs are served; None: one is not."""

    ntfy: str | None = "/ntfy"
    post_msg: str | None = "/msg"
    gotify: str | None = ""
    apprise: str | None = ""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of these settings."""
        return cls(settings.ntfy.prefix, settings.post_msg.prefix, settings.gotify.prefix, settings.apprise.prefix)


USUAL = Prefixes()


class Texts(NamedTuple):
    """A document as JSON, before and after its URL."""

    before: bytes
    after: bytes
    digest: bytes

    def at(self, url: str) -> bytes:
        """The document for this URL."""
        return self.before + _written(url).encode() + self.after

    def tag(self, url: str) -> str:
        """Its entity tag, for which nothing is written."""
        return f'"{hashlib.blake2b(url.encode(), digest_size=12, key=self.digest).hexdigest()}"'


class Documents:
    """Makes each document once for the settings that it depends on. The URL is put in as it is served, so that none is kept for one."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        versions = range(registry.newest + 1)
        self.apis: tuple[str, ...] = ("rest", "files", "rooms", "client", "data", "commands", "oauth", "hooks", "ntfy", "post_msg", "ops")
        self.names = (*self.apis, *(f"commands-v{version}" for version in versions))
        self.texts = lru_cache(maxsize=KEPT)(self._texts)

    def document(
        self, name: str, url: str, client: ClientSettings, commands: CommandsSettings, prefixes: Prefixes = USUAL
    ) -> dict[str, Any]:  # fmt: skip
        """The document of this name, as it is by these settings. Raises KeyError."""
        makers = self._makers(client, commands, prefixes)
        chosen = self.apis if name == ALL else (name,)
        title = "xmpp-rest" if name == ALL else f"xmpp-rest: {name}"
        return document(title, url, [makers[each]() for each in chosen])

    def _texts(self, name: str, client: ClientSettings, commands: CommandsSettings, prefixes: Prefixes) -> Texts:
        text = _written(self.document(name, URL, client, commands, prefixes))
        before, after = text.split(_written(URL))
        return Texts(before.encode(), after.encode(), hashlib.blake2b(text.encode(), digest_size=32).digest())

    def _makers(
        self, client: ClientSettings, commands: CommandsSettings, prefixes: Prefixes
    ) -> Mapping[str, Callable[[], Description]]:  # fmt: skip
        return {
            "rest": describe_rest,
            "files": describe_files,
            "rooms": describe_rooms,
            "client": partial(describe_client, client),
            "data": describe_data,
            "commands": partial(describe_commands, self._registry, commands),
            "oauth": describe_oauth,
            "hooks": partial(describe_hooks, prefixes.gotify, prefixes.apprise),
            "ntfy": partial(describe_ntfy, prefixes.ntfy),
            "post_msg": partial(describe_post_msg, prefixes.post_msg),
            "ops": partial(describe_ops, self.names, f"{client.prefix}-docs/openapi.json"),
            **{f"commands-v{version}": partial(describe_version, self._registry, version) for version in range(self._registry.newest + 1)},
        }
