"""Hooks, requests and settings for tests of what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from xmpp_rest.config.hook_tables import HooksSettings
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.hooks.choosing import choose_format, event_of
from xmpp_rest.service.hooks.hook import Hook, HookTarget
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.said import Said
from xmpp_rest.service.hooks.saying import Sayings

PAYLOADS = Path(__file__).parent / "payloads"
OWNER = parse_jid("nurse@capulet.example")
SETTINGS = HooksSettings("account", JID("hooks", "capulet.example", ""), 1_048_576, 5000, 10, 2.0, 100, "")
HOOK = Hook("ops", OWNER, OWNER, (HookTarget(OWNER),), 1, 0.0)


def payload(name: str) -> Any:
    """A payload of the folder."""
    return json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))


def say(value: Any, headers: dict[str, str] | None = None, *, path: str = "", query: dict[str, str] | None = None, **options: Any) -> Said:
    """What a hook says to a value that came with these headers. Other keywords: of the hook, or of [hooks] after `settings_`."""
    settings = replace(SETTINGS, **{k.removeprefix("settings_"): v for k, v in options.items() if k.startswith("settings_")})
    hook = replace(HOOK, **{k: v for k, v in options.items() if not k.startswith("settings_") and k != "files"})
    headers = {k.lower(): v for k, v in (headers or {}).items()}
    chosen = choose_format(path, hook, headers, value)
    request = Payload(chosen, value, event_of(chosen, headers), headers, query or {}, options.get("files", ()))
    return sayings(settings).say(hook, request)


@cache
def sayings(settings: HooksSettings) -> Sayings:
    """Sayings with these settings."""
    return Sayings(lambda: settings, lambda: settings.templates)
