"""Rooms of the client API, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from tests.api.client.calls import Api
from tests.conftest import DOMAIN

HOST = f"muclight.{DOMAIN}"
CLUB = {"name": "Book club", "subject": "Chapter four"}
OUTSIDER = (403, "Given user does not occupy this room")
UNKNOWN = (404, "Room not found")


class Rooms(Api):
    """Requests of one user to the rooms."""

    root = "/api/rooms"

    def create(self, name: str = "", **more: Any) -> str:
        response = self("PUT" if name else "POST", f"/{name}" if name else "", CLUB | more)
        assert (response.status_code, response.headers["Content-Type"]) == (201, "application/json")
        assert response.get_json().keys() == {"id"}
        return str(response.get_json()["id"])

    def roles(self, room: str) -> dict[str, str]:
        response = self("GET", f"/{room}")
        assert response.status_code == 200
        return {row["user"]: row["role"] for row in response.get_json()["participants"]}

    def ids(self) -> set[str]:
        return {row["id"] for row in self("GET").get_json()}

    def items(self, room: str) -> list[dict[str, Any]]:
        response = self("GET", f"/{room}/messages")
        assert response.status_code == 200
        items: list[dict[str, Any]] = response.get_json()
        return items
