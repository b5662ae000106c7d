"""Shared roster groups (spec commands-api §12)."""

from __future__ import annotations

from dataclasses import replace

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.families.accounts import account
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.service.shared_groups import FLAGS, Group, SharedGroups

SEPARATOR = "\\n"  # COMPAT ejabberd: the two characters, in `display` before v1
TEXTS = ("label", "description")
RESERVED = frozenset(("", "__array", "__hash"))  # words of the storage


def _groups(services: Services, host: str) -> SharedGroups:
    services.require_host(host)
    return services.groups


@command("srg_create", 1)
def srg_create(services: Services, group: str, host: str, label: str, description: str, display: list[str]) -> bool:
    if group in RESERVED:
        raise rejected("Invalid group name")
    require_sendable(group, label, description)
    return _groups(services, host).create(group, Group(label, description, tuple(dict.fromkeys(display))))


@command("srg_create")
def srg_create_v0(services: Services, group: str, host: str, label: str, description: str, display: str) -> bool:
    done: bool = srg_create.run(services, group, host, label, description, [d for d in display.split(SEPARATOR) if d])
    return done


@command("srg_add")
def srg_add(services: Services, group: str, host: str) -> bool:
    done: bool = srg_create.run(services, group, host, "", "", [])
    return done


@command("srg_delete")
def srg_delete(services: Services, group: str, host: str) -> bool:
    _groups(services, host).delete(group)
    return True


@command("srg_list")
def srg_list(services: Services, host: str) -> list[str]:
    return list(_groups(services, host).all())


@command("srg_get_info")
def srg_get_info(services: Services, group: str, host: str) -> list[tuple[str, str]]:
    found = _groups(services, host).all().get(group)
    if found is None:
        return []
    texts = [("label", found.label), ("description", found.description), ("displayed_groups", ", ".join(found.displayed))]
    return texts + [(flag, "true") for flag in FLAGS if flag in found.flags]


@command("srg_set_info")
def srg_set_info(services: Services, group: str, host: str, key: str, value: str) -> bool:
    require_sendable(value)
    if key in TEXTS:
        return _groups(services, host).edit(group, lambda g, _: replace(g, **{key: value}))  # type: ignore[arg-type]
    if key in FLAGS:
        return _groups(services, host).edit(group, lambda g, _: replace(g, flags=g.flags | {key} if value == "true" else g.flags - {key}))
    return True  # COMPAT ejabberd


@command("srg_get_displayed")
def srg_get_displayed(services: Services, group: str, host: str) -> list[str]:
    found = _groups(services, host).all().get(group)
    return list(found.displayed) if found else []


@command("srg_add_displayed")
def srg_add_displayed(services: Services, group: str, host: str, add: str) -> bool:
    def change(g: Group, groups: dict[str, Group]) -> Group | None:
        return replace(g, displayed=tuple(dict.fromkeys((*g.displayed, add)))) if add in groups else None

    return _groups(services, host).edit(group, change)


@command("srg_del_displayed")
def srg_del_displayed(services: Services, group: str, host: str, del_: str) -> bool:
    def change(g: Group, _: dict[str, Group]) -> Group | None:
        return replace(g, displayed=tuple(d for d in g.displayed if d != del_)) if del_ in g.displayed else None

    return _groups(services, host).edit(group, change)


@command("srg_get_members")
def srg_get_members(services: Services, group: str, host: str) -> list[str]:
    found = _groups(services, host).all().get(group)
    return list(found.members) if found else []


def _member(services: Services, user: str, host: str, grouphost: str, group: str, *, there: bool) -> bool:
    groups = _groups(services, grouphost)
    if jid := account(services, user, host):
        name = {str(jid)}
        groups.edit(group, lambda g, _: replace(g, members=g.members | name if there else g.members - name))
    return True


@command("srg_user_add")
def srg_user_add(services: Services, user: str, host: str, group: str, grouphost: str) -> bool:
    return _member(services, user, host, grouphost, group, there=True)


@command("srg_user_del")
def srg_user_del(services: Services, user: str, host: str, group: str, grouphost: str) -> bool:
    return _member(services, user, host, grouphost, group, there=False)


COMMANDS = (
    srg_create, srg_create_v0, srg_add, srg_delete, srg_list, srg_get_info, srg_set_info, srg_get_displayed, srg_add_displayed,
    srg_del_displayed, srg_get_members, srg_user_add, srg_user_del,
)  # fmt: skip
