"""One class name has one meaning, across the tree."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DESCRIBED = ROOT / "xmpp_rest/api/gateway.py"
"""Protocols that describe what dialects use of classes in `gateway/`, under the names of those."""


def test_no_class_name_is_defined_twice() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for folder in ("xmpp_rest", "drivers"):
        for path in sorted(set((ROOT / folder).rglob("*.py")) - {DESCRIBED}):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(found) > 200
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
