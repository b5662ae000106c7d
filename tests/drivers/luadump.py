"""A canonical text of values, in Python and in Lua, to compare what both read from the same source."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from typing import Any

from drivers.values import entries_of

DUMP = """
local function dump(v)
  local kind = type(v)
  if kind == "string" then return "s" .. v:gsub(".", function (c) return ("%02x"):format(c:byte()) end) end
  if kind == "boolean" then return v and "true" or "false" end
  if kind == "number" then
    if v ~= v then return "nan" end
    if v == 1/0 then return "inf" end
    if v == -1/0 then return "-inf" end
    if math.type(v) == "float" and v == math.floor(v) and math.abs(v) < 1e18 then v = math.tointeger(v) end
    return math.type(v) == "integer" and ("%d"):format(v) or ("%.17g"):format(v)
  end
  if kind == "nil" then return "nil" end
  local parts = {}
  for k, item in pairs(v) do parts[#parts + 1] = dump(k) .. "=" .. dump(item) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end
"""

PROSODY = """
package.path = "/usr/lib/prosody/?.lua;" .. package.path
package.cpath = "/usr/lib/prosody/?.so;" .. package.cpath
pcall(require, "loader") -- of 13, where modules require "prosody.util.…"
"""
"""Makes Prosody's own modules loadable."""


def dump(value: Any) -> str:
    """The spelling of a value of the storage contract."""
    if isinstance(value, str):
        return "s" + value.encode("utf-8", "surrogateescape").hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.17g}" if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return str(value)
    if value is None:
        return "nil"
    return "{" + ",".join(sorted(f"{dump(key)}={dump(item)}" for key, item in entries_of(value))) + "}"


def run(lua: str, program: str, *arguments: object, cwd: Path | None = None) -> list[str]:
    """Lines that a Lua program prints; it has `dump`."""
    command = [lua, "-", *map(str, arguments)]
    done = subprocess.run(command, input=(DUMP + program).encode(), capture_output=True, timeout=60, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()
