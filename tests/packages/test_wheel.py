"""The wheel: one top-level name, the checkout's code, and a gateway that works beside whatever else is there."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from release.wheel import moved
from tests.live.gateway import Gateway, Sections
from tests.live.xmppserver import GATEWAY
from tests.packages.conftest import Built
from tests.packages.once import ROOT, run


@pytest.fixture(scope="module")
def files(built: Built) -> dict[str, bytes]:
    with zipfile.ZipFile(built.wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(files: dict[str, bytes], name: str) -> str:
    [content] = (content for path, content in files.items() if path.endswith(f".dist-info/{name}"))
    return content.decode()


def place(name: str) -> str:
    """Where the wheel has a file of the checkout."""
    return f"xmpp_rest/{name}" if name.startswith("drivers/") else name


def test_the_only_top_level_name(files: dict[str, bytes]) -> None:
    tops = {name.split("/")[0] for name in files}
    assert {top for top in tops if not re.fullmatch(r"xmpp_rest-[^/]+\.(dist-info|data)", top)} == {"xmpp_rest"}
    assert metadata(files, "top_level.txt").split() == ["xmpp_rest"]
    manuals = {name.split("/data/", 1)[1] for name in files if "/data/share/man/" in name}
    assert manuals == {"share/man/man1/xmpp-rest.1", "share/man/man1/xmpp-restctl.1", "share/man/man5/xmpp-rest.ini.5"}
    assert not {name for name in files if name.endswith("/app.py") or (".data/" in name and "/data/share/" not in name)}


def test_every_file_of_the_packages_and_no_other(files: dict[str, bytes], shipped: list[str]) -> None:
    there = {name for name in files if name.startswith("xmpp_rest/")}
    assert there == {place(name) for name in shipped}
    assert len(there) > 400


class Moved(ast.NodeTransformer):
    """The move, done to the tree."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module and node.module.split(".")[0] == "drivers" and not node.level:
            node.module = f"xmpp_rest.{node.module}"
        return node


def test_the_modules_are_those_of_the_checkout_but_for_their_imports(files: dict[str, bytes], shipped: list[str]) -> None:
    changed = 0
    for name in shipped:
        ours, theirs = (ROOT / name).read_bytes(), files[place(name)]
        if not name.endswith(".py"):
            assert theirs == ours, name
            continue
        assert ast.dump(Moved().visit(ast.parse(ours))) == ast.dump(ast.parse(theirs)), name
        for before, after in zip(ours.splitlines(), theirs.splitlines(), strict=True):
            if before != after:
                changed += 1
                assert after == before.replace(b"from drivers", b"from xmpp_rest.drivers", 1)
    assert changed > 100


def strings(tree: ast.AST) -> Iterator[str]:
    """Strings that are values: neither documentation nor parts of paths."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    documentation |= {id(node.right) for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_no_name_of_the_checkout_is_in_a_string(shipped: list[str]) -> None:
    modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in shipped if name.startswith("drivers/")}
    for name in shipped:
        if name.endswith(".py"):
            for text in strings(ast.parse((ROOT / name).read_text("utf-8"))):
                assert text.split(":")[0] not in modules, f"{name}: {text!r} has another name in the wheel"


@pytest.mark.parametrize(
    ("source", "there"),
    [
        ("from drivers import A\n", "from xmpp_rest.drivers import A\n"),
        ("from drivers.sql import drivers  # drivers\n", "from xmpp_rest.drivers.sql import drivers  # drivers\n"),
        ("def f():\n    é = 1; from drivers.lease import (\n        Lease)\n", "def f():\n    é = 1; from xmpp_rest.drivers.lease import (\n        Lease)\n"),
        ("from .drivers import A\nfrom driversx import B\nX = 'from drivers import'\n",) * 2,
    ],
)
def test_the_move(source: str, there: str) -> None:
    assert moved(source) == there


@pytest.mark.parametrize("source", ["import drivers", "import os, drivers.sql", "import drivers as d"])
def test_imports_that_cannot_be_moved(source: str) -> None:
    with pytest.raises(ValueError, match="from drivers import"):
        moved(source)


def test_the_metadata(files: dict[str, bytes]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    message = message_from_string(metadata(files, "METADATA"))
    assert (message["Name"], message["Version"], message["License-Expression"]) == ("xmpp-rest", project["version"], "GPL-3.0-or-later")
    assert message["Requires-Python"] == ">=3.11"
    assert message.get_all("Classifier") == project["classifiers"]
    assert sorted(message.get_all("Provides-Extra") or ()) == ["fast", "postgres"]
    wanted: set[tuple[str | None, str]] = {(None, r) for r in requirements("requirements.txt")}
    wanted |= {(extra, r) for extra in ("fast", "postgres") for r in requirements(f"requirements-{extra}.txt")}
    found = set()
    for line in message.get_all("Requires-Dist") or ():
        requirement = Requirement(line)
        extra = re.search(r"extra == \W(\w+)", str(requirement.marker or ""))
        requirement.marker = None
        found.add((extra[1] if extra else None, str(requirement)))
    assert found == wanted
    assert set(re.findall(r"^[\w-]+", metadata(files, "entry_points.txt"), re.MULTILINE)) == {"xmpp-rest", "xmpp-restctl"}


def requirements(name: str) -> list[str]:
    return [str(Requirement(line)) for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


class Installed(Gateway):
    """`python -m xmpp_rest` of an environment, in a folder."""

    def __init__(self, programs: Path, folder: Path, sections: Sections) -> None:
        self.programs = programs
        super().__init__(folder, 1, {"link": {"kind": "none"}, **sections})

    def command(self) -> list[str]:
        return [str(self.programs / "python"), "-m", "xmpp_rest", "--config", "wsgi.ini", "run"]

    def environment(self) -> dict[str, str]:
        return {"PYTHONUNBUFFERED": "1"}


def test_it_serves_beside_foreign_files_of_the_same_names(installed: Path, foreign: Path) -> None:
    """In two processes, by its own worker, on a driver of somebody else's, who has put it into their own package `drivers`."""
    [example] = re.findall(r"^```python\n(\"\"\"example/onefile.py.*?)^```", (ROOT / "docs/drivers.md").read_text(), re.MULTILINE | re.DOTALL)
    (foreign / "drivers/onefile.py").write_text(f"from drivers import RAIL\n{example}")
    gateway = Installed(installed, foreign, {"server": {"workers": 2}, "storage": {"url": "drivers.onefile:OneFile:all.json"}})
    gateway.start()
    try:
        gateway.register("romeo")
        gateway.send(f"<message to='romeo@{GATEWAY}'><body>from a wheel</body></message>", "admin")
        assert "romeo" in (foreign / "data/all.json").read_text()
    finally:
        gateway.stop()


def test_every_module_and_every_driver_can_be_loaded(installed: Path, foreign: Path) -> None:
    (foreign / "app.py").write_text("FOREIGN = True\n")
    script = """
import importlib, pkgutil, sys
import app, drivers
import xmpp_rest
assert app.FOREIGN and drivers.RAIL, "the folder's own modules are found under their names"
from pathlib import Path
from xmpp_rest.config import find
find.CHECKOUT = Path.cwd()  # what somebody else has installed beside it
assert not find._is_checkout(find.CHECKOUT), "what is installed is not a checkout"
assert "xmpp_rest.application" not in sys.modules, "create_app is looked up when it is asked for"
names = [found.name for found in pkgutil.walk_packages(xmpp_rest.__path__, "xmpp_rest.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
from pathlib import Path
from xmpp_rest.storage import DRIVERS, Driver, open_driver
for scheme in DRIVERS:
    driver = open_driver(f"{scheme}:{'//localhost/none' if scheme.startswith('postgres') else scheme}", Path.cwd() / "data")
    assert isinstance(driver, Driver) and type(driver).__module__.startswith("xmpp_rest.drivers."), driver
    driver.close()
assert callable(xmpp_rest.create_app)
foreign = {name for name in sys.modules if name.split(".")[0] in ("app", "drivers")}
assert foreign == {"app", "drivers"}, foreign
print(len(names), xmpp_rest.__file__)
"""
    (foreign / "data").mkdir()
    count, path = run(installed / "python", "-c", script, cwd=foreign).split()
    assert int(count) > 400
    assert Path(path).is_relative_to(installed.parent)


def test_wsgi_servers_name_create_app(installed: Path, foreign: Path) -> None:
    (foreign / "wsgi.ini").write_text("[server]\ndata_dir = data\n[auth]\niterations = 4096\n")
    script = """
from gunicorn.util import import_app
app = import_app("xmpp_rest:create_app()")
print(app.test_client().get("/health").get_data(as_text=True))
"""
    assert '"status"' in run(installed / "python", "-c", script, cwd=foreign, XMPP_REST_CONFIG="wsgi.ini")


def test_an_editable_installation_has_the_names_of_the_checkout(foreign: Path) -> None:
    """This environment has one: `make venv`."""
    script = "import app, drivers, xmpp_rest; print(app.__file__, drivers.__file__, xmpp_rest.__file__, sep='\\n')"
    (foreign / "elsewhere").mkdir()
    found = run(sys.executable, "-c", script, cwd=foreign / "elsewhere").split()
    assert found == [str(ROOT / name) for name in ("app.py", "drivers/__init__.py", "xmpp_rest/__init__.py")]
