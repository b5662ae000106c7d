"""Imports point one way: protocol ← link ← service ← api, threads ← processes ← service, http ← serving, drivers ← auth, service; gateway above all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOWEST = {"config", "errors", "incidents", "protocol", "threads", "gateway.events"}
"""What every layer of xmpp_rest may import but those that are named for themselves."""
ALLOWED = {  # layer → layers of the project that it may import, besides itself
    "drivers": set[str](),
    "xmpp_rest.protocol": set[str](),
    "xmpp_rest.http": set[str](),
    "xmpp_rest.errors": set[str](),
    "xmpp_rest.incidents": set[str](),
    "xmpp_rest.config": {"protocol", "errors", "drivers"},
    "xmpp_rest.threads": {"errors"},
    "xmpp_rest.serving": {"http", "config", "errors", "threads"},
    "xmpp_rest.processes": {"threads", "errors", "incidents", "protocol", "gateway.events"},
    "xmpp_rest.auth": LOWEST | {"processes", "drivers"},
    "xmpp_rest.link": LOWEST | {"processes"},
    "xmpp_rest.service": LOWEST | {"processes", "link", "auth", "http.encodings", "__version__", "drivers"},
    "xmpp_rest.api": LOWEST | {"processes", "link", "auth", "service", "http", "__version__", "drivers"},
    "xmpp_rest.gateway": LOWEST | {"processes", "link", "auth", "service", "api", "serving", "http", "drivers"},
}
STILL = {  # what points the wrong way until it is mended
    "xmpp_rest.serving": {"xmpp_rest.application", "xmpp_rest.gateway", "drivers.lease"},
    "xmpp_rest.config": {"xmpp_rest.api.commands.registry"},
    "xmpp_rest.api": {"xmpp_rest.gateway", "xmpp_rest.serving"},
}
IMPURE = {"flask", "threading", "socket", "pathlib", "os", "subprocess", "urllib3", "sqlite3"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below_it(layer: str) -> None:
    path = ROOT / layer.replace(".", "/")
    files = list(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    assert files
    allowed = {layer} | STILL.get(layer, set())
    allowed |= {name if name == "drivers" else f"xmpp_rest.{name}" for name in ALLOWED[layer]}
    for path in files:
        for name in imports(path):
            if name.split(".")[0] in ("drivers", "xmpp_rest", "app"):
                assert any(name == a or name.startswith(f"{a}.") for a in allowed), f"{path} imports {name}"


def test_the_protocol_layer_is_pure() -> None:
    for path in (ROOT / "xmpp_rest/protocol").rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE, path
