"""Which hosted domains have an owner of their own, where several machines are one gateway (many-machines §3, `[cluster] spread`)."""

from __future__ import annotations

from xmpp_rest.config.table import CallbackSettings, Settings


def spread_domains(settings: Settings) -> tuple[str, ...]:
    """The domains of rooms that have owners of their own; none where one node owns all."""
    return tuple(settings.gateway.domains[1:]) if settings.cluster.is_on and settings.cluster.spread else ()


def owned_with(settings: Settings, domain: str) -> tuple[str, ...]:
    """The hosted domains that have the same owner as this one, which comes first."""
    apart = spread_domains(settings)
    return (domain,) if domain in apart else tuple(each for each in settings.domains if each not in apart)


def callbacks_at(settings: Settings, domain: str) -> dict[str, CallbackSettings]:
    """The callbacks, by name, whose addresses have this owner: those of `owned_with`; all of a callback's have the same one."""
    owned = owned_with(settings, domain)
    return {name: each for name, each in settings.callbacks.items() if not each.address or each.address[0].domain in owned}


def divided_callbacks(settings: Settings) -> list[str]:
    """The names of callbacks whose addresses would have several owners."""
    apart = spread_domains(settings)
    divided = []
    for name, each in settings.callbacks.items():
        owners = {address.domain if address.domain in apart else "" for address in each.address}
        if len(owners) > 1:
            divided.append(name)
    return divided
