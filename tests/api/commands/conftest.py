"""Fixtures that call commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flask import Flask

from tests.conftest import DOMAIN, basic

ADMIN = basic(f"admin@{DOMAIN}")


class Answer(NamedTuple):
    status: int
    body: Any


Run = Callable[..., Answer]


@pytest.fixture
def run(app: Flask) -> Run:
    """Calls `/api/PATH` with the members of `args` as an administrator; `headers` stand for another caller."""

    def call(path: str, args: Any = None, headers: dict[str, str] = ADMIN) -> Answer:
        body = args if isinstance(args, bytes) else json.dumps({} if args is None else args)
        response = app.test_client().post(f"/api/{path}", data=body, headers=headers)
        return Answer(response.status_code, response.get_json())

    return call
