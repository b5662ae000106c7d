"""The check for truth values of XML elements finds each form, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HEAD = "from xml.etree.ElementTree import Element\ndef f(a: Element | None, b: Element, few: list[Element], text: str) -> object:\n"


def check(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    (folder / "pyproject.toml").write_text("[tool.mypy]\nstrict = true\n")
    (folder / "module.py").write_text(f"{HEAD}    {line}\n    if text: pass\n    return None\n")
    command = [sys.executable, ROOT / "lint/element_truth.py", "module.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "line",
    [
        "return a or b",
        "if a: pass",
        "while not b: break",
        "assert text and b.find(text) or b",
        "return 1 if few[0] else 2",
        "return [x for x in few if x]",
        "return any(x for x in few)",
        "return bool(a)",
        "if (c := b.find('ü')) and c.text: pass",
    ],
)
def test_found(tmp_path: Path, line: str) -> None:
    done = check(tmp_path, line)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("module.py:3: ")


@pytest.mark.parametrize("line", ["return few or text", "if a is not None and len(b): pass", "return bool(few) or any(x.text for x in few)"])
def test_not_found(tmp_path: Path, line: str) -> None:
    done = check(tmp_path, line)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
