"""Requests to hooks in several processes of one gateway: once only, within limits that they share (hooks §10, §18)."""

from __future__ import annotations

from pathlib import Path

from werkzeug.test import TestResponse

from tests.api.hooks.deliveries.conftest import TOKEN
from tests.conftest import DOMAIN, MakeApp, register_users


def test_once_only_and_within_shared_limits(make_app: MakeApp, tmp_path: Path) -> None:
    settings = {"server_data_dir": str(tmp_path / "shared"), "hook_ops_token": TOKEN, "hook_ops_targets": f"nurse@{DOMAIN}", "hook_ops_rate": "3"}
    apps = [make_app(**settings) for _ in range(2)]
    register_users(apps[0])
    for app in apps:
        app.extensions["gateway"].start()
    leader, follower = (app.test_client() for app in apps)

    def post(client: int, key: str) -> TestResponse:
        return (leader, follower)[client].post(f"/hooks/{TOKEN}", data="words", headers={"Idempotency-Key": key})

    first, again = post(0, "1"), post(1, "1")
    assert (first.status_code, again.status_code, again.data) == (200, 200, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [post(1, "2").status_code, post(0, "3").status_code, post(1, "4").status_code] == [200, 200, 429]
