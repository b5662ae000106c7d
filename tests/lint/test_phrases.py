"""The check of phrases finds what it should, and passes over what it should not."""

from __future__ import annotations

import pytest

from lint.phrases import found_phrases, is_question, phrases


@pytest.mark.parametrize(
    "line",
    ["Bytes of a body at the most.", "it waits for ever", "the field counts for nothing", "as ever", "this one, too", "that is no address", "Whether this can be no store"],
)
def test_banned(line: str) -> None:
    (finding,) = found_phrases("x.py", f"good\n{line}\n", phrases())
    assert finding.startswith("x.py:2: ")


@pytest.mark.parametrize("line", ["at most", "there is no address", "it is no longer there", "large, too large", "for everybody", "is not an address", "as every reader knows"])
def test_allowed(line: str) -> None:
    assert list(found_phrases("x.py", line, phrases())) == []


@pytest.mark.parametrize(
    ("docstring", "question"),
    [("Who may send?", True), ("Who may send? (RFC 6120)", True), ("Routes a stanza to its handler.", False), ("Reads `?a=b` of a URL.", False)],
)
def test_docstrings(docstring: str, question: bool) -> None:
    assert is_question(f'"""{docstring}"""\n') is question


def test_a_module_without_docstring() -> None:
    assert not is_question("x = 1\n")
