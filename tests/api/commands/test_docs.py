"""docs/commands.md and docs/conference.md are correct: their examples are sent, and the list of commands is compared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import PASSWORD, MakeApp, basic
from xmpp_rest.api.commands import registry
from xmpp_rest.config.check import require_sense
from xmpp_rest.config.load import load_settings

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "commands.md").read_text("utf-8")
EXAMPLE = re.compile(r"^(GET|POST) (/api/\S+)(?: (.+))?\n(\d{3}) (.+)$", re.MULTILINE)


@pytest.mark.parametrize(("page", "count"), [("commands", 18), ("conference", 12)])
def test_the_examples(make_app: MakeApp, page: str, count: int) -> None:
    client = make_app(gateway_domain="localhost").test_client()
    examples = EXAMPLE.findall((DOCS / f"{page}.md").read_text("utf-8"))
    assert len(examples) == count
    for method, path, body, status, answer in examples:
        got = client.open(path, method=method, data=body or None, headers=basic("admin@localhost", PASSWORD))
        assert (got.status_code, got.get_json()) == (int(status), json.loads(answer)), f"{method} {path} {body}"


def test_the_list_of_commands() -> None:
    (table,) = re.findall(r"^## Commands\n(.+?)\nArguments", TEXT, re.MULTILINE | re.DOTALL)
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted({o.definition.name for o in registry().offers()})


def test_the_rules(tmp_path: Path) -> None:
    (rules,) = re.findall(r"^```ini\n(.+?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "wsgi.ini").write_text(rules)
    settings = load_settings(tmp_path / "wsgi.ini", {})
    require_sense(settings, registry())
    assert sorted(settings.rights) == ["monitoring", "robots"]
