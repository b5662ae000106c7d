"""Reloading: the settings that can change while the gateway runs, and the merge of a changed configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.config.table import SECTIONS, Settings, key_of

LIVE = {
    "server": {"access_log", "log_format", "log_level", "log_levels", "origins", "public_url"},
    "auth": {"admins", "failures", "iterations", "password_hash"},
    "rest": {"batch_size_limit", "batch_stanzas", "credentials", "iq_timeout", "stanza_size_limit"},
    "data": {"account_limit", "members_limit", "size_limit", "store_limit", "stores_limit"},
    "commands": {"default_version", "fit_version"},
    "oauth": {"client_check", "expire", "expire_max"},
    "client": {"body_limit", "page_limit", "realm", "sse_timestamp_unit"},
    "archive": {"keep"},
    "rooms_anywhere": {"hold", "idle", "join", "nick"},
    "streams": {"heartbeat", "write_timeout"},
    "metrics": {"allow", "token"},
    "health": {"ready_needs"},
    "pages": {"version"},
    "hooks": {"address", "alerts", "per_account", "size_limit", "templates", "text_limit", "wait", "who"},
    "files": {
        *("access", "expire", "fetch", "fetch_hosts", "fetch_timeout", "inline", "max_size", "quota", "quota_total", "slot_seconds"),
    },
    "sessions": {
        *("confirm_timeout", "connect_timeout", "failures_account", "failures_address", "failures_domain", "failures_window", "idle"),
        *("keepalive", "login_timeout", "logins", "nameservers", "per_domain", "poll", "presence", "queue_size", "recheck", "refused_for"),
        *("resource", "retry_max", "send_limit", "stanza_size_limit", "total"),
    },
    "limits": {"account", "hook", "schedule_days", "scheduled", "token"},
}
"""Section → keys that are read for each request, or that `gateway/put_in_force.py` applies. Likewise all sections `[rights.NAME]`,
`[hook.NAME]` and `[login.NAME]`.

A part that got its section, or a value of it, when it was built works by the old one until a restart. To make such a key live, give the
part a `configure` method and call it in `put_in_force`, or let the part read `gateway.settings` for each request; then list the key here.
"""


FIXED = {
    "server": {"bind", "socket_mode", "data_dir"},
    "gateway": {"domain", "rooms_domain", "conference_domain"},
    "storage": {"url"},
    "files": {"domain", "folder"},
    "cluster": {key_of(f) for f in fields(ClusterSettings)},
}
"""Section → keys that stay as they are until a restart, also in the processes that come in place of others."""


class Merged(NamedTuple):
    """Settings with new values for LIVE and old ones for the rest, and the changed ones as `[section] key`."""

    settings: Settings
    applied: list[str]
    waiting: list[str]  # until a restart


OF_THE_DOMAIN = {"auth": {"admins"}, "hooks": {"address"}}
"""The live settings that, like rights and hooks, name accounts of the domain: they change only together with it."""
LIVE_FAMILIES = ("rights", "own_hooks", "logins")
FAMILIES = (("callback", "callbacks"), ("rights", "rights"), ("hook", "own_hooks"), ("login", "logins"))
"""The word before the dot of sections that may occur more than once, and where Settings has them."""


def merge(old: Settings, new: Settings) -> Merged:
    """The settings of `new` that can take effect without a restart, over `old`."""
    return _merge(old, new, LIVE, LIVE_FAMILIES)


def merge_for_new_processes(old: Settings, new: Settings) -> Merged:
    """The settings of `new` that can take effect in processes that come in place of others, over `old`: all but FIXED."""
    keys = {section: {key_of(f) for f in fields(table)} - FIXED.get(section, set()) for section, table in SECTIONS.items()}
    return _merge(old, new, keys, (*LIVE_FAMILIES, "callbacks"))


def _merge(old: Settings, new: Settings, taken: Mapping[str, set[str]], families: Sequence[str]) -> Merged:
    """The settings of `new` below these keys, and these families of sections, over `old`; not what names accounts, if the domain moves."""
    moves = old.gateway.domain != new.gateway.domain
    if moves:
        families = ()
    lives = {section: found - OF_THE_DOMAIN.get(section, set()) if moves else found for section, found in taken.items()}
    changed = list(_changed(old, new, lives, families))
    parts: dict[str, Any] = {name: getattr(new, name) for name in families}
    for section, keys in lives.items():
        table = getattr(new, section)
        values = {f.name: getattr(table, f.name) for f in fields(SECTIONS[section]) if key_of(f) in keys}
        parts[section] = replace(getattr(old, section), **values)
    parts["written"] = dict(old.written) | {name: new.written[name] for s, keys in lives.items() for name in (f"{s}.{key}" for key in keys)}
    applied = [name for name, live in changed if live]
    return Merged(replace(old, **parts), applied, [name for name, live in changed if not live])


def _changed(old: Settings, new: Settings, lives: Mapping[str, set[str]], families: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The differences, and whether each can take effect: the keys in `lives`, and the sections of `families`."""
    for section, table in SECTIONS.items():
        before, after = getattr(old, section), getattr(new, section)
        for f in fields(table):
            name = f"{section}.{key_of(f)}"
            if old.written[name] != new.written[name] and getattr(before, f.name) != getattr(after, f.name):
                yield f"[{section}] {key_of(f)}", key_of(f) in lives.get(section, ())
    for family, attribute in FAMILIES:
        olds, news = getattr(old, attribute), getattr(new, attribute)
        for name in sorted({*olds, *news}):
            if olds.get(name) != news.get(name):
                yield f"[{family}.{name}]", attribute in families
