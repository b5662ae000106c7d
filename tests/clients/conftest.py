"""A gateway of its own process for the clients, without a link: accounts, a hook, and what has arrived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.gateway import PASSWORD, Gateway
from tests.live.xmppserver import GATEWAY

NURSE = f"nurse@{GATEWAY}"


class Hosted(Gateway):
    """Standalone. `make` makes a hook of the administrator and returns its token; `inbox` is what nurse has received."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 1, {"link": {"kind": "none"}})
        self._seen = 0

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def make(self, name: str, **members: Any) -> str:
        """A new hook, to nurse unless `targets` says otherwise; its token."""
        answer = self.request("POST", "/hooks", json.dumps({"name": name, "targets": [NURSE]} | members), "application/json", "admin")
        assert answer.status == 201, answer.data
        return str(answer.json()["token"])

    def inbox(self) -> list[str]:
        """The texts that nurse has received since the last call."""
        answer = self.request("GET", "/ntfy/nurse/json?poll=1", user="nurse")
        assert answer.status == 200, answer.data
        lines = answer.data.decode().splitlines()
        texts = [json.loads(line)["message"] for line in lines if line]
        new, self._seen = texts[self._seen :], len(texts)
        return new


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    gateway = Hosted(tmp_path_factory.mktemp("gateway"))
    gateway.start()
    body = json.dumps({"user": "nurse", "host": GATEWAY, "password": PASSWORD})
    assert gateway.request("POST", "/api/register", body, "application/json", "admin").status == 200
    yield gateway
    gateway.stop()
