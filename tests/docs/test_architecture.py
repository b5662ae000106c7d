"""The files and names on docs/architecture.md and CONTRIBUTING.md exist, and the words that the former marks are in the glossary."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = sorted(set(re.findall(r"`((?:\w+/)*\w+\.(?:py|json))(?=[:`])", PAGE)))
FOLDERS = sorted(set(re.findall(r"`((?:\w+/)+)`", PAGE)))
NAMES = sorted(set(re.findall(r"`((?:\w+/)*\w+\.py):([\w.]+)`", PAGE)))
CONSTANTS = sorted(set(re.findall(r"`((?:\w+/)*\w+\.py)` \(`([A-Z_]+)`\)", PAGE)))


def found(path: str) -> Path:
    return ROOT / path if path.startswith(("drivers/", "tests/")) else ROOT / "xmpp_rest" / path


@pytest.mark.parametrize("path", FILES)
def test_a_file_exists(path: str) -> None:
    assert found(path).is_file()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|drivers|docs|xmpp_rest)/[\w./]+\.\w+)`", CONTRIBUTING))))
def test_a_file_that_contributors_are_sent_to_exists(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("path", FOLDERS)
def test_a_folder_exists(path: str) -> None:
    places = [ROOT / "xmpp_rest", ROOT, *(ROOT / "xmpp_rest" / folder for folder in ("service", "api"))]
    assert any((place / path).is_dir() for place in places)


def names_in(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """The functions, classes and constants that the statements define, each with its own body."""
    defined: dict[str, list[ast.stmt]] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            defined[node.name] = node.body
        elif isinstance(node, ast.Assign):
            defined |= {target.id: [] for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined[node.target.id] = []
    return defined


@pytest.mark.parametrize(("path", "name"), NAMES + CONSTANTS)
def test_a_name_exists(path: str, name: str) -> None:
    body = ast.parse(found(path).read_text(encoding="utf-8")).body
    for part in name.split("."):
        defined = names_in(body)
        assert part in defined, f"{path} has no {name}"
        body = defined[part]


def test_every_package_is_in_the_table_of_folders() -> None:
    table = PAGE.partition("## Folders")[2].partition("## A message goes out")[0]
    packages = {path.parent.name for path in (ROOT / "xmpp_rest").glob("*/__init__.py")}
    assert {name for name in packages if f"`{name}/`" not in table} == set()


@pytest.mark.parametrize("word", sorted(set(re.findall(r"(?<!\*)\*([a-z][a-z ]+)\*(?!\*)", PAGE))))
def test_a_marked_word_is_in_the_glossary(word: str) -> None:
    assert f"| {word} |" in GLOSSARY or f"| {word.removesuffix('s')} |" in GLOSSARY
