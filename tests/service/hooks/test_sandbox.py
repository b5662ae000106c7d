"""Templates of strangers cost little, whatever they ask for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.service.hooks.hostile_templates import HARMLESS, REFUSED_OR_FAILED
from xmpp_rest.service.hooks.sandbox.environment import BoundedEnvironment
from xmpp_rest.service.hooks.sandbox.errors import BadTemplate, TemplateFailed
from xmpp_rest.service.hooks.template_files import short

NAMES = {"payload": {"a": {"b": [1, 2]}, "text": "hello"}, "alerts": [{"a": 1}, {"a": 2}], "event": "", "hidden": 0}
SECONDS = 1.5  # of this thread's time
BYTES = 50 << 20


@pytest.fixture(scope="module")
def environment() -> BoundedEnvironment:
    return BoundedEnvironment(str)


def peak() -> int:
    """The most memory of this process, in bytes, since `forget_peak`."""
    return 1024 * int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1])


def forget_peak() -> int:
    """Begins to measure the most memory again; what is used now."""
    Path("/proc/self/clear_refs").write_text("5")  # proc(5)
    return peak()


def rendered(environment: BoundedEnvironment, source: str) -> str | None:
    """What a template says, None if it does not."""
    try:
        return environment.rendered(environment.compiled(short(source)), NAMES)
    except (BadTemplate, TemplateFailed):
        return None


@pytest.mark.parametrize("source", REFUSED_OR_FAILED, ids=lambda source: source[:60])
def test_a_hostile_template_is_refused_or_fails_in_its_bounds(environment: BoundedEnvironment, source: str) -> None:
    before, began = forget_peak(), time.thread_time()
    assert rendered(environment, source) is None
    assert time.thread_time() - began < SECONDS
    assert peak() - before < BYTES


@pytest.mark.parametrize("source", HARMLESS, ids=lambda source: source[:60])
def test_what_looks_hostile_and_is_not_is_rendered(environment: BoundedEnvironment, source: str) -> None:
    before = forget_peak()
    assert rendered(environment, source) is not None
    assert peak() - before < BYTES
