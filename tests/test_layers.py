"""Do dependencies point one way only? protocol ← link ← service ← api, and drivers ← auth, service."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {  # layer → layers of the project that it may import
    "drivers": {"drivers"},
    "xmpp_rest.protocol": {"xmpp_rest.protocol"},
    "xmpp_rest.http": {"xmpp_rest.http"},
    "xmpp_rest.link": {"xmpp_rest.link", "xmpp_rest.protocol", "xmpp_rest.settings", "xmpp_rest.errors", "xmpp_rest.incidents", "xmpp_rest.waits"},
    "xmpp_rest.auth": {"xmpp_rest.auth", "xmpp_rest.protocol", "xmpp_rest.settings", "xmpp_rest.errors", "xmpp_rest.incidents", "drivers"},
    "xmpp_rest.service": {
        *("xmpp_rest.service", "xmpp_rest.link", "xmpp_rest.auth", "xmpp_rest.protocol"),
        *("xmpp_rest.settings", "xmpp_rest.errors", "xmpp_rest.incidents", "xmpp_rest.http.encodings", "xmpp_rest.waits", "xmpp_rest.__version__", "drivers"),
    },
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
    files = list((ROOT / layer.replace(".", "/")).rglob("*.py"))
    assert files
    for path in files:
        for name in imports(path):
            if name.split(".")[0] in ("drivers", "xmpp_rest", "app"):
                assert any(name == a or name.startswith(f"{a}.") for a in ALLOWED[layer]), f"{path} imports {name}"


def test_the_protocol_layer_is_pure() -> None:
    for path in (ROOT / "xmpp_rest/protocol").rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE, path
