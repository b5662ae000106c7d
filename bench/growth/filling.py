"""Content in bulk: accounts, an archive, a list, tokens, a roster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from bench.growth.places import DOMAIN
from drivers import ArchiveItem, Content, Driver

T = TypeVar("T")
CHUNK = 5000
OWNER = "juliet"
PARTNER = "romeo@montague.example"
PARTNERS = 50
FIRST = 1.6e9
"""Unix time of the first archived item; one comes each second."""
BODY = "Good pilgrim, you do wrong your hand too much, which mannerly devotion shows in this"
ACCOUNT = {"salt": "s" * 36, "iteration_count": 10000, "stored_key": "0" * 40, "server_key": "1" * 40, "created": 1.6e9, "updated": 1.6e9}


def item(number: int) -> ArchiveItem:
    """One archived message; one of fifty is exchanged with PARTNER."""
    partner = PARTNER if number % PARTNERS == 0 else f"user{number % PARTNERS}@montague.example"
    text = f"<message from='{OWNER}@{DOMAIN}/x' to='{partner}' type='chat' id='m{number}'><body>{BODY} {number}</body></message>"
    return ArchiveItem(f"id{number}", FIRST + number, partner, text)


def accounts(driver: Driver, count: int) -> None:
    """Accounts of others: user0 and so on."""
    _write(driver, (Content(f"user{n}", DOMAIN, "accounts", "keyval", ACCOUNT, new=True) for n in range(count)))


def archive(driver: Driver, count: int) -> None:
    """An archive of OWNER."""
    for chunk in _chunks(item(n) for n in range(count)):
        _require(driver.bulk_write([Content(OWNER, DOMAIN, "archive", "archive", chunk, new=True)]))


def long_list(driver: Driver, count: int) -> None:
    """A list of OWNER."""
    driver.list_store(OWNER, DOMAIN, "notes", ({"n": n, "item": "rope"} for n in range(count)))


def tokens(driver: Driver, count: int) -> None:
    """Tokens of others that have not ended."""
    later = int(time.time()) + 10**7
    token = {"owner": f"nurse@{DOMAIN}", "scopes": ["xmpp:rest"], "expires": later, "issued": later - 10**7, "account": ""}
    _write(driver, (Content(f"{n:064x}", DOMAIN, "oauth_token", "keyval", token, new=True) for n in range(count)))


def roster(driver: Driver, count: int) -> None:
    """A roster of OWNER, all of it mutual and elsewhere."""
    contacts = {f"contact{n}@montague.example": {"subscription": "both", "groups": {"Friends": True}} for n in range(count)}
    driver.store(OWNER, DOMAIN, "roster", {"": {"version": 1}, **contacts})


def _write(driver: Driver, contents: Iterator[Content]) -> None:
    for chunk in _chunks(contents):
        _require(driver.bulk_write(chunk))


def _require(errors: list[Exception | None]) -> None:
    for error in errors:
        if error is not None:
            raise error


def _chunks(things: Iterator[T]) -> Iterator[list[T]]:
    while chunk := list(islice(things, CHUNK)):
        yield chunk
