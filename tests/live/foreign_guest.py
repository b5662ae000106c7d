"""A gateway beside a server whose accounts log in through it, and what these do in rooms and with files."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
from urllib3.util import make_headers

from xmpp_rest.cli.access.events import ReceivedEvent, received

from .child import LOOPBACK
from .gateway import Gateway, Sections
from .muc import Guest, OwnRoom
from .tls_servers import FOREIGN, FOREIGN_ROOMS, ForeignUser, TLSServer
from .xmppserver import PASSWORD


class VisitedGateway(Gateway):
    """Lets in the accounts of this server."""

    def __init__(self, folder: Path, server: TLSServer, sections: Sections | None = None, port: int | None = None) -> None:
        """`port`: of a relay in front of the server."""
        login = {"login.montague": server.login_settings(port=port)}
        super().__init__(folder, server.component_port, {**(sections or {}), **login})


class ForeignGuest(Guest):
    """An account of the server, by the gateway."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        super().__init__(gateway, f"{name}@{FOREIGN}")

    @property
    def occupant(self) -> str:
        """The address of its session."""
        answer = self.gateway.request("GET", "/rest/session", user=self.user)
        assert answer.status == 200, answer.data
        return str(answer.json()["jid"])

    def log_out(self) -> None:
        """End the session."""
        answer = self.gateway.request("DELETE", "/rest/session", user=self.user)
        assert answer.status == 204, answer.data

    def send_file(self, data: bytes, to: str, **headers: str) -> urllib3.BaseHTTPResponse:
        """One request with a file; `to`: of the query."""
        return self.gateway.request("POST", f"/rest/files?{to}", data, "image/png", self.user, **headers)

    @contextmanager
    def listening(self, path: str) -> Iterator[Iterator[ReceivedEvent]]:
        """Events from now on."""
        connection = http.client.HTTPConnection(LOOPBACK, self.gateway.port, timeout=60)
        connection.request("GET", path, headers=make_headers(basic_auth=f"{self.user}:{PASSWORD}"))
        response = connection.getresponse()
        try:
            assert response.status == 200, response.read()
            yield (event for event in received(response) if event.name)
        finally:
            response.close()
            connection.close()

    def messages(self, room: str) -> list[dict[str, Any]]:
        """What is kept of a room."""
        answer = self.ask("GET", f"/{room}/messages")
        assert answer.status == 200, answer.data
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found


class ServerRoom(OwnRoom):
    """A room at the server of the accounts, which one of them has made by a client of its own."""

    def __init__(self, owner: ForeignUser, name: str, **options: str) -> None:
        self.room = f"{name}@{FOREIGN_ROOMS}"
        self.enter(owner)
        self.configure(**options)


def content_of(url: str) -> bytes:
    """What is at this URL of the server."""
    assert LOOPBACK in url
    answer = urllib3.request("GET", url, retries=False, timeout=30)
    assert answer.status == 200, answer.status
    return answer.data


