"""The fast reader, the parser and Lua itself read the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.lua import parse, parse_file, parse_item, serialise
from drivers.lua.canonical import read_table
from tests.drivers.luadump import dump, run
from tests.drivers.luavalues import values
from tests.drivers.test_lua import LITERALS


@given(values)
def test_the_quick_reading_reads_the_same(value: Any) -> None:
    text = serialise(value)
    quick = read_table(text.encode(), 0)
    assert quick is None or (dump(quick[0]), quick[1]) == (dump(parse(text)), len(text))
    assert dump(parse_file(f"return {text};\n".encode())) == dump(value)
    assert parse_item(f"item({text});\nitem(2);\n".encode(), 0) is not None


@pytest.mark.parametrize(
    "text",
    ['{\n\t["a"] = 1\n}', '{\n\t["a"] = "\\q";\n}', "{\n\t1;\n", '{\n\t"a;\n}', "{\n\t1-2;\n}", '{\n\t["a"] = nil;\n}', "{\n\t--x\n}", "{ 1 }"],
)
def test_the_quick_reading_leaves_the_rest_to_the_parser(text: str) -> None:
    assert read_table(text.encode(), 0) is None


@given(st.text(alphabet='{}[]="\\;\n\t1-ae.(/0)', max_size=30))
def test_the_quick_reading_takes_nothing_that_the_parser_refuses(text: str) -> None:
    source = "{\n" + text + "\n}"
    quick = read_table(source.encode(), 0)
    if quick is not None:
        assert dump(quick[0]) == dump(parse(source[: quick[1]]))


PROGRAM = """
for line in io.lines(arg[1]) do
  local text = line:gsub("%x%x", function (h) return string.char(tonumber(h, 16)) end)
  local f = load("return " .. text, "=x", "t", {})
  print(f and dump((f())) or "refused")
end
"""


def _in_lua(lua: str, folder: Path, texts: list[bytes]) -> list[str]:
    (folder / "texts").write_text("".join(text.hex() + "\n" for text in texts))
    return run(lua, PROGRAM, folder / "texts")


@pytest.mark.live
def test_lua_reads_literals_alike(lua: str, tmp_path: Path) -> None:
    texts = [text for text in LITERALS if not text.endswith(";") or text == "{ 1; 2; }"]
    assert _in_lua(lua, tmp_path, [text.encode() for text in texts]) == [dump(parse(text)) for text in texts]


@pytest.mark.live
def test_lua_reads_what_is_written(lua: str, tmp_path: Path) -> None:
    some: list[Any] = []

    @settings(max_examples=200, database=None)
    @given(values)
    def collect(value: Any) -> None:
        some.append(value)

    collect()
    assert _in_lua(lua, tmp_path, [serialise(value).encode() for value in some]) == [dump(value) for value in some]
