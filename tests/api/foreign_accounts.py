"""An application that lets accounts of montague.example in, by a door that tests script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from tests.conftest import PASSWORD, basic, build_app, register_users
from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID, parse_jid

FOREIGN = "montague.example"
ROMEO = f"romeo@{FOREIGN}"
SESSION = parse_jid(f"{ROMEO}/xmpp-rest-5f1c09ab")
AS_ROMEO = basic(ROMEO)


class ScriptedDoor:
    """Lets in who has PASSWORD; `asked` are the attempts. `fails`, where set, raises instead."""

    def __init__(self) -> None:
        self.asked: list[tuple[JID, str]] = []
        self.fails: Callable[[], Exception] | None = None

    def admit(self, jid: JID, password: str, address: str) -> JID:
        self.asked.append((jid, address))
        if self.fails is not None:
            raise self.fails()
        if password != PASSWORD:
            raise WrongPassword
        return jid.at(SESSION.resource)

    def still_good(self, jid: JID, password: str) -> bool:
        return password == PASSWORD


@contextmanager
def app_with_door(folder: Path, **given: str) -> Iterator[tuple[Flask, ScriptedDoor]]:
    """The application, with the accounts of USERS, and its door."""
    app = register_users(build_app(folder, login_montagues_domains=FOREIGN, **given))
    gateway: Gateway = app.extensions["gateway"]
    door = ScriptedDoor()
    gateway.parts.authenticator._foreign._door = door
    yield app, door
    gateway.stop()
