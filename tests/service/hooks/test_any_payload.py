"""Whatever stands in a payload, it is said or refused, in time, and in characters of XML."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.service.hooks.saying_cases import PAYLOADS, payload, say
from xmpp_rest.config.hook_readers import FORMATS
from xmpp_rest.service.hooks.characters import FORBIDDEN
from xmpp_rest.service.hooks.said import Kind, NothingToSay, Said

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**300, 1.5, float("1e308"), "", " ", "x", "\x00\ud800\uffff", "a" * 10_000, "<" * 1000, "{{ 1 }}", "0" * 40,
    [], {}, [[]], [None], [{}], {"": ""}, {"a": [1]}, [[[[]]]], ["x", 1, None], {"type": "rich_text", "elements": [{"type": "text"}]},
)  # fmt: skip
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
HEADERS = {"github": "X-GitHub-Event", "gitea": "X-Gitea-Event", "gitlab": "X-Gitlab-Event"}
EVENTS = (
    "push",
    "issues",
    "issue_comment",
    "pull_request_review",
    "workflow_run",
    "status",
    "release",
    "check_suite",
    "unheard_of",
    "create",
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each object or array of a value, with each of its keys."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, inner in pairs:
        yield value, key
        yield from places(inner)


def said(value: Any, **options: Any) -> Said | None:
    with suppress(NothingToSay):
        found = say(value, **options)
        assert not FORBIDDEN.search(found.text)
        assert found.text or found.kind is not Kind.MESSAGE
        assert not re.search(r"<jinja|Traceback", found.text)
        return found
    return None


@pytest.mark.parametrize("name", NAMES)
def test_any_value_may_stand_anywhere(name: str) -> None:
    header = HEADERS.get(name.partition("-")[0])
    events = EVENTS if header else ("",)
    chosen = random.Random(name)
    for index in range(len(list(places(payload(name))))):
        for odd in chosen.sample(ODD, 4):
            value = payload(name)
            owner, key = list(places(value))[index]
            owner[key] = odd
            said(value, headers={header: chosen.choice(events)} if header else {})


@pytest.mark.parametrize("of", FORMATS)
def test_any_value_may_come_in_any_format(of: str) -> None:
    for odd in ODD:
        said(odd, format=of)
        for name in NAMES[:: len(NAMES) // 4]:
            said(payload(name), format=of)


DEEP: Any = json.loads("[" * 60 + "1" + "]" * 60)
MANY = 200_000
LARGE = {
    "alerts": {"alerts": [{}] * MANY, "groupKey": "k"},
    "labels": {"alerts": [{"labels": {f"l{n}": "x" for n in range(MANY // 4)}}] * 4, "groupKey": "k"},
    "blocks": {"blocks": [{"type": "section", "fields": [{"text": "x"}] * 1000}] * 1000},
    "rich text": {
        "blocks": [
            {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}] * 300}] * 300}
        ]
    },
    "markup": {"text": "<https://a|" * 90_000},
    "attachments": {"attachments": [{"fields": [{"title": "a", "value": "b"}] * 500}] * 500},
    "commits": {"ref": "refs/heads/x", "commits": [{"id": "1", "message": "m"}] * MANY, "repository": {}},
    "numbers": [1] * MANY,
    "deep": {"a": [DEEP] * 5000},
    "lines": "\n" * 1_000_000 + "x",
    "combining": "e" + "\u0301" * 900_000,
    "spaces": {"title": " " * 1_000_000 + "x"},
}


@pytest.mark.parametrize("case", LARGE)
def test_a_large_payload_takes_a_bounded_time(case: str) -> None:
    began = time.thread_time()
    found = said(LARGE[case], headers={"X-GitHub-Event": "push"} if case == "commits" else {})
    assert time.thread_time() - began < 3
    assert found is None or len(found.text) < 6000
