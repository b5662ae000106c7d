"""Lua table text, read without executing anything, and written.

Prosody keeps its data as Lua source: a `.dat` file is `return TABLE;`, a `.list` file one `item(VALUE);` after the other. Its data API
uses the bare expression. Values are those of the storage contract (see `drivers`); infinities and "not a number" are floats.
"""

from drivers.lua.lexer import LuaError
from drivers.lua.parser import parse, parse_file, parse_item
from drivers.lua.writer import serialise

__all__ = ["LuaError", "parse", "parse_file", "parse_item", "serialise"]
