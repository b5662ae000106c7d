"""Operations of the gateway on a storage in which others keep much."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

from bench.growth.filling import OWNER
from bench.growth.measured import Figure, Figures, milliseconds, once
from bench.growth.places import DOMAIN, PASSWORD, House, Storage
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.protocol.jid import parse_jid

USER = f"{OWNER}@{DOMAIN}"


def of_gateway(storage: Storage, size: int) -> Figures:
    """From the start of the gateway on."""
    with ExitStack() as stack:
        entered: list[House] = []
        yield Figure("start of the gateway", "ms", once(lambda: entered.append(stack.enter_context(storage.house()))))
        (house,) = entered
        house.gateway.parts.accounts.register(parse_jid(USER), PASSWORD)
        for name, call in _calls(house, size).items():
            yield Figure(name, "ms", milliseconds(call))
        everybody = once(lambda: house.command("registered_users", host=DOMAIN))
        yield Figure("registered_users, each", "µs", everybody * 1000 / size)
        yield Figure("registered_users, memory", "MiB", _memory(house))
        house.gateway.driver.store(OWNER, DOMAIN, "accounts", None)


def _calls(house: House, size: int) -> dict[str, Callable[[], object]]:
    numbers, owner = count(), parse_jid(USER)
    driver = house.gateway.driver

    def unregister() -> None:
        name = f"nurse{next(numbers)}"
        driver.store(name, DOMAIN, "accounts", {"password": PASSWORD})
        house.command("unregister", user=name, host=DOMAIN)

    def ranged(field: str) -> object:
        return house.ask("GET", f"/data/{DOMAIN}/{OWNER}/notes", user=USER, range=field)

    return {
        "unregister of an account without content": unregister,
        "token, with the sweep of ended ones": lambda: Tokens(driver, DOMAIN).issue(owner, ["xmpp:rest"], 3600),
        "connected_users": lambda: house.command("connected_users"),
        "check_account": lambda: house.command("check_account", user=f"user{size // 2}", host=DOMAIN),
        "stats registeredusers": lambda: house.command("stats", name="registeredusers"),
        "last page of /rest/archive": lambda: house.ask("GET", "/rest/archive/?max=20&before=", user=USER),
        "last page of /api/messages": lambda: house.ask("GET", "/api/messages?limit=20", user=USER),
        "first range of a list of /data": lambda: ranged("items=0-19"),
        "last range of a list of /data": lambda: ranged(f"items={size - 20}-{size - 1}"),
    }


def _memory(house: House) -> float:
    """The most that the answer with all names takes while its parts are read and thrown away, in MiB."""
    tracemalloc.start()
    try:
        house.drain("POST", "/api/registered_users", {"host": DOMAIN})
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
