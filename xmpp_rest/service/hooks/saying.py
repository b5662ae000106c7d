"""What a hook says because of a request."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from xmpp_rest.config.hook_tables import HooksSettings
from xmpp_rest.service.hooks.characters import clean, one_line, shorten
from xmpp_rest.service.hooks.formats.pictures import pictures_in
from xmpp_rest.service.hooks.formats.readers import read
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.said import Kind, NothingToSay, Said
from xmpp_rest.service.hooks.sandbox.errors import BadTemplate, TemplateFailed
from xmpp_rest.service.hooks.template_files import Templates

log = logging.getLogger("xmpp_rest.hooks")
KEY = 512
"""Characters of a matter's key; longer ones are known by their hash."""
ENDING = ("resolved", "ok", "up", "success")
"""States, given by the sender, that end a matter."""
FILES = 20


class Sayings:
    """Turns requests into messages, without any I/O but reading template files.

    `settings`: [hooks]; `folder`: where its templates are, "" for none. Both are asked for each time.
    """

    def __init__(self, settings: Callable[[], HooksSettings], folder: Callable[[], str]) -> None:
        self._settings = settings
        self._templates = Templates(folder)

    def check_template(self, template: str) -> None:
        """Raises BadTemplate where a template, source or @NAME, cannot be read or parsed."""
        self._templates.check(template)

    def say(self, hook: Hook, payload: Payload) -> Said:
        """The message of a request. Raises NothingToSay."""
        settings = self._settings()
        content, name = read(HookRequest(hook, payload, settings.alerts))
        if content.ping:
            return Said(Kind.PING)
        key, state, ends = _matter(content, payload)
        content = replace(content, key=content.key or key, state=content.state or state)
        text, own, failed = self._rendered(hook, name, _names(hook, payload, content))
        text = clean(text)
        if not text and own:
            return Said(Kind.SILENT, key=key, state=state, ends=ends)
        if not text:
            raise NothingToSay("there is nothing to say in it")
        text, truncated = shorten(text, settings.text_limit)
        title, message = clean(content.title), shorten(clean(content.text), settings.text_limit)[0]
        text = _with_files(text, (*content.files, *payload.files))
        return Said(Kind.MESSAGE, text, key, state, ends, truncated, failed, title, message, pictures_in(name, payload.value))

    def _rendered(self, hook: Hook, format_name: str, names: Mapping[str, Any]) -> tuple[str, bool, str]:
        """The text; whether an own template has made it; and why an own template has not."""
        try:
            text = self._templates.of_the_hook(hook.template, names) if hook.template else self._templates.of_the_folder(format_name, names)
            if text is not None:
                return text, True, ""
            failed = ""
        except (BadTemplate, TemplateFailed) as error:
            failed = one_line(clean(str(error)))
            log.warning("the template of the hook %s failed, and the shipped one was used: %s", hook.name, failed)
        return self._templates.shipped(format_name, names), False, failed


def _names(hook: Hook, payload: Payload, content: MessageParts) -> dict[str, Any]:
    """The names of a template."""
    return {
        **content.extra,
        "payload": payload.value,
        "event": payload.event,
        "headers": dict(payload.headers),
        "query": dict(payload.query),
        "hook": {"name": hook.name, "nick": hook.called},
        "title": content.title,
        "text": content.text,
        "url": content.url,
        "state": content.state,
        "key": content.key,
        "alerts": list(content.alerts),
        "hidden": content.hidden,
    }


def _matter(content: MessageParts, payload: Payload) -> tuple[str, str, bool]:
    """Key, state and end of the matter: those of the format, else as the sender says."""
    key, state, ends = content.key, content.version or content.state, content.ends
    if not key:
        key = payload.headers.get("x-hook-key") or payload.query.get("key", "")
        state = payload.headers.get("x-hook-state") or payload.query.get("state", "")
        ends = state.strip().lower() in ENDING
    return _bounded(clean(key)), _bounded(clean(state)), bool(key) and ends


def _bounded(text: str) -> str:
    return text if len(text) <= KEY else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _with_files(text: str, files: tuple[str, ...]) -> str:
    names = [one_line(clean(name), 100) for name in files[:FILES]]
    more = len(files) - len(names)
    return f"{text}\nNot sent: {', '.join(names)}{f' and {more} more' if more else ''}" if names else text
