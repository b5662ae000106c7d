"""Imports point one way: protocol ← link ← service ← api, threads ← processes ← service, http ← serving, drivers ← auth, service; gateway above all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOWEST = {"config", "errors", "incidents", "protocol", "threads", "gateway.events", "request_notes", "answered", "logs", "metrics"}
"""What every layer of xmpp_rest may import but those that are named for themselves."""
ALLOWED = {  # layer → layers of the project that it may import, besides itself
    "drivers": set[str](),
    "xmpp_rest.protocol": set[str](),
    "xmpp_rest.http": set[str](),
    "xmpp_rest.errors": set[str](),
    "xmpp_rest.incidents": set[str](),
    "xmpp_rest.request_notes": set[str](),
    "xmpp_rest.answered": {"request_notes"},
    "xmpp_rest.metrics": {"protocol", "answered"},
    "xmpp_rest.logs.areas": set[str](),
    "xmpp_rest.logs": {"request_notes", "answered", "config"},
    "xmpp_rest.config": {"protocol", "errors", "drivers", "logs.areas"},
    "xmpp_rest.threads": {"errors"},
    "xmpp_rest.serving": {"http", "config", "errors", "threads", "request_notes", "answered", "logs"},
    "xmpp_rest.processes": {"threads", "errors", "incidents", "protocol", "gateway.events", "request_notes"},
    "xmpp_rest.auth": LOWEST | {"processes", "drivers"},
    "xmpp_rest.link": LOWEST | {"processes"},
    "xmpp_rest.service": LOWEST | {"processes", "link", "auth", "http.encodings", "http.dates", "__version__", "drivers"},
    "xmpp_rest.importing": LOWEST | {"processes", "auth", "service", "drivers"},
    "xmpp_rest.api": LOWEST | {"processes", "link", "auth", "service", "http", "__version__", "drivers"},
    "xmpp_rest.cluster": LOWEST | {"processes", "link.journal", "link.journals", "__version__", "drivers"},
    "xmpp_rest.gateway": LOWEST | {"processes", "cluster", "link", "auth", "service", "api", "serving", "http", "__version__", "drivers"},
}
IMPURE = {"flask", "threading", "socket", "pathlib", "os", "subprocess", "sqlite3"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = ".".join((*package, *((node.module,) if node.module else ())))
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below_it(layer: str) -> None:
    path = ROOT / layer.replace(".", "/")
    files = list(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    assert files
    allowed = {layer}
    allowed |= {name if name == "drivers" else f"xmpp_rest.{name}" for name in ALLOWED[layer]}
    for path in files:
        for name in imports(path):
            if name.split(".")[0] in ("drivers", "xmpp_rest", "app"):
                assert any(name == a or name.startswith(f"{a}.") for a in allowed), f"{path} imports {name}"


def test_the_protocol_layer_is_pure() -> None:
    for path in (ROOT / "xmpp_rest/protocol").rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE, path


def graph() -> dict[str, set[str]]:
    """Module → modules of the project that it imports, anywhere in the file: in functions and for type checking too."""
    files = {path: path.relative_to(ROOT).with_suffix("").parts for folder in ("xmpp_rest", "drivers") for path in (ROOT / folder).rglob("*.py")}
    names = {".".join(parts).removesuffix(".__init__"): path for path, parts in files.items()}

    def module(name: str) -> str:
        return name if name in names else name.rpartition(".")[0]

    return {name: {module(each) for each in imports(path)} & names.keys() - {name} for name, path in names.items()}


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """The largest sets of modules each of which reaches all others of its set."""

    def reach(start: str) -> set[str]:
        found, left = set[str](), [start]
        while left:
            new = edges[left.pop()] - found
            found |= new
            left += new
        return found

    reached = {name: reach(name) for name in edges}
    return {frozenset(other for other in reached[name] if name in reached[other]) for name in edges if name in reached[name]}


def test_no_module_imports_one_that_imports_it() -> None:
    assert circles(graph()) == set()


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == {frozenset("abc")}
