"""Shared roster groups (commands-api §12)."""

from __future__ import annotations

from dataclasses import replace

from xmpp_rest.api.commands.erlang import printed
from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.groups.accounts import account
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.results import NotDone
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.service.accounts.shared_groups import ALL, FLAGS, ONLINE, Group, SharedGroups

SEPARATOR = "\\n"  # COMPAT ejabberd: the two characters, in `display` before v1
TEXTS = ("label", "description")
RESERVED = frozenset(("", "__array", "__hash"))  # words of the storage
EVERYBODY = {"@all@": ALL, "@online@": ONLINE}  # COMPAT ejabberd: stands for a user, and sets what makes everybody a member
ABSENT = NotDone("group_does_not_exist")


def _groups(services: Services, host: str) -> SharedGroups:
    services.require_host(host)
    return services.groups


def _require_name(group: str) -> None:
    if group in RESERVED:
        raise rejected("Invalid group name")
    require_sendable(group)


@command("srg_create", 1)
def srg_create(services: Services, group: str, host: str, label: str, description: str, display: list[str]) -> bool | NotDone:
    _require_name(group)
    require_sendable(label, description)
    groups, shown = _groups(services, host), tuple(dict.fromkeys(display))
    return groups.create(group, Group(label, description, shown)) or _not_shown([d for d in shown if d not in {group, *groups.all()}])


def _not_shown(groups: list[str]) -> NotDone:
    return NotDone(f"{{wrong_displayed_groups,[{','.join(map(printed, groups))}]}}")


@command("srg_create")
def srg_create_v0(services: Services, group: str, host: str, label: str, description: str, display: str) -> bool | NotDone:
    done: bool | NotDone = srg_create.run(services, group, host, label, description, [d for d in display.split(SEPARATOR) if d])
    return done


@command("srg_add")
def srg_add(services: Services, group: str, host: str) -> bool | NotDone:
    done: bool | NotDone = srg_create.run(services, group, host, "", "", [])
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
def srg_set_info(services: Services, group: str, host: str, key: str, value: str) -> bool | NotDone:
    require_sendable(value)

    def change(g: Group, _: dict[str, Group]) -> Group:
        if key in TEXTS:
            return replace(g, **{key: value})  # type: ignore[arg-type]
        if key in FLAGS:
            return _flagged(g, key, there=value == "true")
        return g  # COMPAT ejabberd: any other key is taken, and changes nothing

    return _groups(services, host).edit(group, change) or ABSENT


def _flagged(group: Group, flag: str, *, there: bool) -> Group:
    return replace(group, flags=group.flags | {flag} if there else group.flags - {flag})


@command("srg_get_displayed")
def srg_get_displayed(services: Services, group: str, host: str) -> list[str]:
    found = _groups(services, host).all().get(group)
    return list(found.displayed) if found else []


@command("srg_add_displayed")
def srg_add_displayed(services: Services, group: str, host: str, add: str) -> bool | NotDone:
    def change(g: Group, groups: dict[str, Group]) -> Group | None:
        return replace(g, displayed=tuple(dict.fromkeys((*g.displayed, add)))) if add in groups else None

    groups = _groups(services, host)
    return groups.edit(group, change) or (ABSENT if add in groups.all() else _not_shown([add]))


@command("srg_del_displayed")
def srg_del_displayed(services: Services, group: str, host: str, del_: str) -> bool | NotDone:
    def change(g: Group, _: dict[str, Group]) -> Group | None:
        return replace(g, displayed=tuple(d for d in g.displayed if d != del_)) if del_ in g.displayed else None

    return _groups(services, host).edit(group, change) or NotDone(f"{{inexistent_displayed_groups,{printed(del_)}}}")


@command("srg_get_members")
def srg_get_members(services: Services, group: str, host: str) -> list[str]:
    return _groups(services, host).members(group)


@command("srg_user_add")
def srg_user_add(services: Services, user: str, host: str, group: str, grouphost: str) -> bool | NotDone:
    if user in EVERYBODY:
        return _everybody(services, user, host, group, grouphost, there=True)
    _require_name(group)
    _groups(services, grouphost).join(group, services.address(user, host))
    return True


@command("srg_user_del")
def srg_user_del(services: Services, user: str, host: str, group: str, grouphost: str) -> bool | NotDone:
    if user in EVERYBODY:
        return _everybody(services, user, host, group, grouphost, there=False)
    groups = _groups(services, grouphost)
    if jid := account(services, user, host):  # else nobody of that name is a member of anything
        groups.part(group, jid)
    return True


def _everybody(services: Services, user: str, host: str, group: str, grouphost: str, *, there: bool) -> bool | NotDone:
    services.require_host(host)
    flag = EVERYBODY[user]
    return _groups(services, grouphost).edit(group, lambda g, _: _flagged(g, flag, there=there)) or ABSENT


COMMANDS = (
    srg_create, srg_create_v0, srg_add, srg_delete, srg_list, srg_get_info, srg_set_info, srg_get_displayed, srg_add_displayed,
    srg_del_displayed, srg_get_members, srg_user_add, srg_user_del,
)  # fmt: skip
