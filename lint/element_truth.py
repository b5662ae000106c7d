"""Reports every place that asks for the truth value of an `xml.etree` element.

An element without children is false up to Python 3.11, warns from 3.12 on, and will be true later: `a or b` changes its meaning with
the version. The code asks `is None` or `len()` instead.

Works on a copy of the files, in which every expression whose truth value is asked for stands inside `reveal_type()`: mypy then says
what type each has. Run by `make lint`; exit status 1 where something was found.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

REVEALED = re.compile(r'(?m)^(\S+?:\d+): note: Revealed type is "(.*)"$')
ELEMENT = re.compile(r"(?:^|\| )xml\.etree\.ElementTree\.Element\b")  # by itself or in a union, not inside a collection
TYPED = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.NamedExpr, ast.IfExp)  # what may be an element


def tested(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions whose truth value is asked for."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
                yield test
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield operand
            case ast.BoolOp(values=values):
                yield from values[:-1]
            case ast.comprehension(ifs=conditions):
                yield from conditions
            case ast.match_case(guard=ast.expr() as guard):
                yield guard
            case ast.Call(func=ast.Name(id="any" | "all"), args=[ast.GeneratorExp(elt=item) | ast.ListComp(elt=item)]):
                yield item
            case ast.Call(func=ast.Name(id="bool"), args=[argument]):
                yield argument


def parts(expression: ast.expr) -> Iterator[ast.expr]:
    """The expression, or those that it joins with `and` and `or`."""
    if isinstance(expression, ast.BoolOp):
        for value in expression.values:
            yield from parts(value)
    else:
        yield expression


def revealed(source: str) -> str:
    """The source with `reveal_type()` around each of them; every line stays where it is."""
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    insertions: list[tuple[int, int, int, bytes]] = []  # line, column, which of two at one place comes later, text
    for expression in (part for whole in tested(ast.parse(source)) for part in parts(whole)):
        if isinstance(expression, TYPED) and expression.end_lineno and expression.end_col_offset:
            insertions.append((expression.lineno, expression.col_offset, 1, b"reveal_type("))
            insertions.append((expression.end_lineno, expression.end_col_offset, 0, b")"))
    for number, column, _, text in sorted(set(insertions), reverse=True):
        line = lines[number - 1]
        lines[number - 1] = line[:column] + text + line[column:]
    return b"".join(lines).decode()


def find(paths: list[str]) -> list[str]:
    """`FILE:LINE` of each place in these files and folders. Raises RuntimeError where mypy gives no types."""
    files = [file for name in paths for file in ([Path(name)] if Path(name).is_file() else Path(name).rglob("*.py"))]
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            copy = Path(folder, file)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(revealed(file.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.copy("pyproject.toml", folder)
        command = [sys.executable, "-m", "mypy", "--no-incremental", "--hide-error-context", *paths]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    places = REVEALED.findall(said.stdout)
    if said.stderr or not places:
        raise RuntimeError(said.stderr or said.stdout)
    return [place for place, type_ in places if ELEMENT.search(type_)]


def main(paths: list[str]) -> int:
    """Print what is found in these files and folders; the exit status."""
    found = sorted(set(find(paths)))
    for place in found:
        print(f"{place}: the truth value of an element; ask `is None` or `len()`")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
