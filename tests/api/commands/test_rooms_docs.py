"""docs/conference.md is correct: its examples are sent."""

from __future__ import annotations

import json
from pathlib import Path

from tests.api.commands.test_docs import EXAMPLE
from tests.conftest import PASSWORD, MakeApp, basic

TEXT = (Path(__file__).parents[3] / "docs" / "conference.md").read_text("utf-8")


def test_the_examples(make_app: MakeApp) -> None:
    client = make_app(gateway_domain="localhost").test_client()
    examples = EXAMPLE.findall(TEXT)
    assert len(examples) == 12
    for method, path, body, status, answer in examples:
        got = client.open(path, method=method, data=body or None, headers=basic("admin@localhost", PASSWORD))
        assert (got.status_code, got.get_json()) == (int(status), json.loads(answer)), f"{method} {path} {body}"
