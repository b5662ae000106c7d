"""Every line belongs to an area, and each area may have a level of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeApp
from xmpp_rest.config.load import SettingsError
from xmpp_rest.logs.areas import AREAS, PREFIX, parse_levels

ROOT = Path(__file__).parents[2]
SET_UP = {"logs/setup.py", "api/commands/groups/server.py", "api/commands/groups/housekeeping.py"}
"""Files that set up loggers, also by other names."""


def logger_names() -> Iterator[tuple[str, str]]:
    """Each file with a logger, and the logger's name as it is written."""
    for path in [*(ROOT / "xmpp_rest").rglob("*.py"), *(ROOT / "drivers").rglob("*.py"), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("getLogger"):
                yield str(path.relative_to(ROOT / "xmpp_rest" if "xmpp_rest" in path.parts else ROOT)), ast.unparse(node.args[0]) if node.args else ""


def test_no_other_logger_is_used() -> None:
    names = {(path, name) for path, name in logger_names() if path not in SET_UP}
    assert len(names) > 60
    assert {name for _, name in names} <= {repr(PREFIX + area) for area in AREAS}


def test_nothing_logs_by_the_module_itself() -> None:
    """As the root logger has no area."""
    found = [
        f"{path}:{node.lineno}"
        for path in (ROOT / "xmpp_rest").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {f"logging.{level}" for level in ("debug", "info", "warning", "error", "exception", "critical", "log")}
    ]
    assert not found


@pytest.mark.parametrize(
    ("text", "levels"),
    [("", ()), ("link=debug", (("link", "debug"),)), (" Link = DEBUG ,access=error, ", (("link", "debug"), ("access", "error"))), ("audit=debug", (("audit", "debug"),))],
)  # fmt: skip
def test_levels_of_areas(text: str, levels: tuple[tuple[str, str], ...]) -> None:
    assert parse_levels(text) == levels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("links=debug", "did you mean link?"), ("qqq=debug", "write one of access, auth, audit"), ("link=verbose", "write one of debug, info"), ("link=warn", "did you mean warning?"),
        ("link", "AREA=LEVEL"), ("link=debug=info", "AREA=LEVEL"), ("link debug", "AREA=LEVEL"), ("link=debug,link=info", "twice"),
    ],
)  # fmt: skip
def test_what_is_no_level_of_an_area(make_app: MakeApp, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_levels(text)
    assert said in str(raised.value)
    with pytest.raises(SettingsError) as wrong:
        make_app(server_log_levels=text)
    assert "SERVER_LOG_LEVELS" in str(wrong.value)


