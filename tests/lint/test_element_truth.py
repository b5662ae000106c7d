"""The check for truth values of XML elements finds each form, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HEAD = "from xml.etree.ElementTree import Element\n"
FOUND = [
    *("return a or b", "if a: pass", "while not b: break", "assert text and b.find(text) or b"),
    *("return 1 if few[0] else 2", "return [x for x in few if x]", "return any(x for x in few)", "return bool(a)"),
    "if (c := b.find('ü')) and c.text: pass",
]
NOT_FOUND = ["return few or text", "if a is not None and len(b): pass", "return bool(few) or any(x.text for x in few)"]


def test_what_is_found(tmp_path: Path) -> None:
    lines = [
        f"def f{n}(a: Element | None, b: Element, few: list[Element], text: str) -> object:\n    {line}\n    return None"
        for n, line in enumerate(FOUND + NOT_FOUND)
    ]
    (tmp_path / "pyproject.toml").write_text("[tool.mypy]\nstrict = true\n")
    (tmp_path / "module.py").write_text(HEAD + "\n".join(lines))
    command = [sys.executable, str(ROOT / "lint/element_truth.py"), "module.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    places = [line.split(": ")[0] for line in done.stdout.splitlines()]
    assert sorted(places) == sorted(f"module.py:{3 + 3 * n}" for n in range(len(FOUND)))
