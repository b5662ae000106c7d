"""A Prosody whose accounts and data belong to a gateway as well, and that does in its own code what a test says."""

from __future__ import annotations

import time

from .prosody import Prosody

ORDERS = """
local fields = setmetatable({ module = module; users = require "core.usermanager" }, { __index = _G })
local function take(path)
    local file = io.open(path)
    if not file then return end
    local code = file:read("*a")
    file:close()
    os.remove(path)
    local ok, result = pcall(load(code, "order", "t", fields))
    local out = io.open(path .. ".tmp", "w")
    out:write((ok and "" or "failed: ") .. tostring(result))
    out:close()
    os.rename(path .. ".tmp", path .. ".done")
end
module:add_timer(0.05, function () take(module:get_option_string("orders")); return 0.05 end)
"""
MODULES = '"orders", "tokenauth", "mam", "private", "user_account_management",'


class Beside(Prosody):
    """Prosody with hashed passwords, archives and private data."""

    storage = ""
    """Lua that sets where it keeps its data; empty: in files below `data`."""

    def configure(self) -> None:
        super().configure()
        plugins = self.folder / "plugins"
        plugins.mkdir()
        (plugins / "mod_orders.lua").write_text(ORDERS)
        config = self.folder / "prosody.cfg.lua"
        text = config.read_text().replace('"internal_plain"', '"internal_hashed"')
        text = text.replace('"roster",', f'"roster", {MODULES}').replace('storage = "internal"', self.storage or 'storage = "internal"')
        config.write_text(f'plugin_paths = {{ "{plugins}" }}\norders = "{self.folder}/order"\n{text}')

    def do(self, code: str) -> str:
        """Run Lua in it; what it returned, as text."""
        order, done = self.folder / "order", self.folder / "order.done"
        done.unlink(missing_ok=True)
        order.with_suffix(".new").write_text(code)
        order.with_suffix(".new").rename(order)
        deadline = time.monotonic() + 30
        while not done.exists():
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.02)
        result = done.read_text()
        assert not result.startswith("failed: "), result
        return result

    def user(self, call: str, *arguments: str) -> str:
        """Call a function of its user manager."""
        return self.do(f"return users.{call}({', '.join(repr(argument) for argument in arguments)})")

    def is_13(self) -> bool:
        """Whether it is of the newer generation: roles, indexes of lists, fractions in times."""
        return self.do("return users.set_user_role ~= nil") == "true"
