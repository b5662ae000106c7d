"""Files that `.ci/run` has run once only compute (decision 0031): they import no server, process, socket, thread or storage, and ask for no such fixture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.test_layers import ROOT, imports

ONCE = [line for line in (ROOT / ".ci" / "once").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
TOUCHING = {
    *("asyncio", "concurrent", "ctypes", "http.client", "http.server", "multiprocessing", "os", "select", "selectors", "shutil", "signal"),
    *("greenlet", "gunicorn", "httptools", "socket", "socketserver", "ssl", "subprocess", "sys", "threading", "time", "urllib.request"),
    *("drivers", "psycopg", "sqlite3", "tests.api.client.served", "tests.api.out", "tests.botapp", "tests.drivers", "tests.link.attached"),
    *("tests.link.fake_server", "tests.link.network", "tests.live", "tests.many", "tests.processes", "tests.serving", "tests.threads"),
    "tests.webservice",
}
"""Modules whose behaviour may depend on the machine, on the servers or on the version of Python."""
FIXTURES = {"make_bot", "open_driver", "pair"}
"""Of conftest.py files: they start or open such things."""


def reached(path: Path) -> Iterator[str]:
    """What a file imports, and what the modules of tests that it imports do; not the fixtures of all."""
    for name in imports(path):
        yield name
        module = ROOT / f"{name.rpartition('.')[0].replace('.', '/')}.py"
        if name.startswith("tests.") and module.exists() and module.name != "conftest.py":
            yield from reached_once(module)


@cache
def reached_once(path: Path) -> frozenset[str]:
    return frozenset(reached(path))


def touches(path: Path) -> set[str]:
    modules = {name for name in reached(path) if any(f"{name}.".startswith(f"{touching}.") for touching in TOUCHING)}
    functions = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef))
    return modules | {arg.arg for function in functions for arg in function.args.args} & FIXTURES


@pytest.mark.parametrize("file", ONCE)
def test_it_only_computes(file: str) -> None:
    assert touches(ROOT / file) == set()


def test_what_does_more_is_noticed() -> None:
    """Through another module of tests, through a fixture, and by itself."""
    assert touches(ROOT / "tests/api/client/test_many_streams.py") >= {"socket"}
    assert touches(ROOT / "tests/api/rest/test_docs.py") >= {"make_bot"}
    assert touches(ROOT / "tests/threads/test_future.py") >= {"threading"}


def test_each_is_named_once_and_in_order() -> None:
    assert sorted(set(ONCE)) == ONCE
