"""Settings of this node in a form that other nodes can compare with theirs, and that tells nobody what they are (many-machines §9).

The key is the secret of the link, which all nodes know; each guess takes a while.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from xmpp_rest.config.table import Settings

SECTIONS = ("auth", "link", "rooms", "conference")
FAMILIES = (("callback", "callbacks"), ("rights", "rights"))  # sections that there may be several of, and where Settings has them
APART = frozenset({"auth.admin_password", "link.secret"})
"""The first counts at the first start alone; of the second a difference is told by itself."""
KEY = "link.secret"
SPREAD = "[cluster] spread"
ITERATIONS = 10_000
Digests = Mapping[str, str]


class SettingsDigests:
    """Of one process; each section is computed once for each text that it has had."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, settings: Settings) -> dict[str, str]:
        """The digest of each section that nodes compare, by its name, and that of the key."""
        key = f"{settings.gateway.domain}\0{settings.link.secret}"
        texts = {section: _as_written(settings, section) for section in SECTIONS}
        for family, attribute in FAMILIES:
            texts |= {f"{family}.{name}": _text_of(values) for name, values in getattr(settings, attribute).items()}
        return {KEY: self._digest(key, KEY)} | {name: self._digest(key, text) for name, text in texts.items()}

    def _digest(self, key: str, text: str) -> str:
        digest = self._known.get((key, text))
        if digest is None:
            digest = hashlib.pbkdf2_hmac("sha256", text.encode(), key.encode(), ITERATIONS, 8).hex()
            self._known[(key, text)] = digest
        return digest


def _as_written(settings: Settings, section: str) -> str:
    written = ((name, text) for name, text in settings.written.items() if name.rpartition(".")[0] == section and name not in APART)
    return "\n".join(f"{name}={text}" for name, text in sorted(written))


def _text_of(value: Any) -> str:
    """A value as text that is the same in each process."""
    if is_dataclass(value):
        return "\n".join(f"{each.name}={_text_of(getattr(value, each.name))}" for each in fields(value))
    if isinstance(value, (set, frozenset)):
        return repr(sorted(map(_text_of, value)))
    if isinstance(value, (tuple, list)):
        return repr(list(map(_text_of, value)))
    return str(value)


def hosted(settings: Settings) -> dict[str, str]:
    """The settings of `[gateway]`, by their keys: all nodes must have the same; also whether each domain has an owner of its own."""
    written = {name.partition(".")[2]: text for name, text in settings.written.items() if name.startswith("gateway.")}
    return written | {SPREAD: "yes" if settings.cluster.spread else "no"}


def differing(one: Digests, other: Digests) -> list[str]:
    """The sections in which two nodes differ, as a configuration has them; with another secret of the link nothing else can be compared."""
    if one.get(KEY) != other.get(KEY):
        return ["[link] secret"]
    return [f"[{name}]" for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
