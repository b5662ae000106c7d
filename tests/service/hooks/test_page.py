"""The examples of docs/hook-templates.md say what stands below them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.service.hooks.saying_cases import say
from xmpp_rest.config.hook_readers import FORMATS

PAGE = (Path(__file__).parents[3] / "docs/hook-templates.md").read_text("utf-8")
SECTIONS = {
    name.strip(): text
    for heading, text in re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    for name in heading.split(",")
}
BLOCKS = re.compile(r"^```(json|jinja|text)\n(.*?)\n```", re.DOTALL | re.MULTILINE)


def test_each_format_has_a_section() -> None:
    assert set(SECTIONS) == set(FORMATS)


@pytest.mark.parametrize("name", [name for name, text in SECTIONS.items() if "```" in text])
def test_the_examples(name: str) -> None:
    value: Any = None
    template = None
    checked = 0
    for kind, text in BLOCKS.findall(SECTIONS[name]):
        if kind == "json":
            value = json.loads(text)
        elif kind == "jinja":
            template = text
        else:
            assert say(value, path=name, template=template).text == text
            checked += 1
    assert checked
