"""Citations point to sections that exist: `rest-api §7` is in docs/compatibility/rest-api.md, `decision 0009` in docs/decisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPECIFICATIONS = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "docs/compatibility").glob("*.md") if page.stem != "README"}
DECISIONS = {page.name[:4] for page in (ROOT / "docs/decisions").glob("0*.md")}
SECTION = r"§\d+(?:\.\d+)*"
CITATION = re.compile(rf"\b({'|'.join(SPECIFICATIONS)})(?:\.md)? ({SECTION}(?:(?:, | and | to |-){SECTION})*)")
DECISION = re.compile(r"\bdecisions? ((?:\d{4}(?:, | and )?)+)|decisions/(\d{4})")
STEP = re.compile(r"\b[SNECMWFDGR]\d{1,2}\b")
UNRESOLVED = re.compile(r"\bspec (?:§|[a-z-]+-api\b)|\bdesign D\d|(?<!\w)§\d[\d.]* of the (?:specification|design)")
HERE = Path(__file__)


def files(*suffixes: str) -> Iterator[Path]:
    for folder in ("xmpp_rest", "drivers", "tests", "bench", "lint", "docs"):
        yield from (p for p in sorted((ROOT / folder).rglob("*")) if p.suffix in suffixes and p != HERE)
    yield from (ROOT / name for name in ("README.md", "app.py") if Path(name).suffix in suffixes)


TEXTS = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in files(".py", ".md")}


def sections(page: str) -> set[str]:
    return set(re.findall(r"^#+ (\d+(?:\.\d+)*)\.? ", SPECIFICATIONS[page], re.MULTILINE))


@pytest.mark.parametrize("page", SPECIFICATIONS)
def test_cited_sections_exist(page: str) -> None:
    cited = [(name, section) for name, text in TEXTS.items() for p, listed in CITATION.findall(text) if p == page for section in re.findall(r"[\d.]+", listed)]
    assert cited, "nothing cites this page"
    assert [(name, section) for name, section in cited if section.rstrip(".") not in sections(page)] == []


def test_cited_decisions_exist() -> None:
    cited = [(name, number) for name, text in TEXTS.items() for match in DECISION.findall(text) for number in re.findall(r"\d{4}", "".join(match))]
    assert len(cited) > 20
    assert [(name, number) for name, number in cited if number not in DECISIONS] == []


def test_cited_steps_of_the_state_machine_exist() -> None:
    steps = set(re.findall(r"\*\*([A-Z]\d{1,2})[ *]", SPECIFICATIONS["http-state-machine"]))
    docstrings = {name: re.findall(r'"""[^"]*"""', text) for name, text in TEXTS.items() if re.match(r"(xmpp_rest|tests)/http/", name)}
    cited = [(name, step) for name, found in docstrings.items() for docstring in found for step in STEP.findall(docstring)]
    assert len(cited) > 30
    assert [(name, step) for name, step in cited if step not in steps] == []


def test_nothing_cites_what_is_not_here() -> None:
    assert [(name, found[0]) for name, text in TEXTS.items() if (found := UNRESOLVED.findall(text))] == []
