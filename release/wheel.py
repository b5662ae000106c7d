"""Steps of setuptools that pyproject.toml names: the wheel has one top-level name, `xmpp_rest`, and the same bytes wherever it is built.

`drivers` becomes `xmpp_rest.drivers`, and import statements follow; nothing else of a module is changed. `app.py` is left out.
An editable installation has the names of the checkout. setuptools loads this file alone: it imports nothing of the project.
"""

from __future__ import annotations

import ast
import os
import re
from calendar import timegm
from pathlib import Path
from shutil import rmtree
from time import strptime

from setuptools import Distribution, find_packages
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel
from setuptools.command.sdist import sdist

OWN = "xmpp_rest"
MOVED = "drivers"
MODULE_OF_CHECKOUT = "app"
ROOT = Path(__file__).resolve().parent.parent
_DATED = re.compile(r"^## \d[^ ]* \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


def moved(source: str) -> str:
    """The module with its imports of `drivers` as imports of `xmpp_rest.drivers`. Raises ValueError."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(_is_moved(alias.name) for alias in node.names):
            raise ValueError(f"line {node.lineno}: write `from {MOVED} import …`, which has the same meaning in the wheel")
        if isinstance(node, ast.ImportFrom) and not node.level and _is_moved(node.module or ""):
            line = lines[node.lineno - 1].encode()  # columns are counted in bytes
            before, after = line[: node.col_offset].decode(), line[node.col_offset :].decode()
            lines[node.lineno - 1] = before + re.sub(rf"\b{MOVED}\b", f"{OWN}.{MOVED}", after, count=1)
    return "".join(lines)


def _is_moved(module: str) -> bool:
    return module.split(".")[0] == MOVED


def _found(name: str) -> list[str]:
    return list(find_packages(str(ROOT), include=[name, f"{name}.*"]))


def released(changelog: str) -> int:
    """The day of the newest release in the changelog, in seconds since the epoch; without one that of 1980, as zip knows none before."""
    found = _DATED.search(changelog)
    return timegm(strptime(found[1] if found else "1980-01-01", "%Y-%m-%d"))


def fix_time() -> None:
    """Give what is archived the time of the release, unless SOURCE_DATE_EPOCH says another one."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(released((ROOT / "CHANGELOG.md").read_text("utf-8"))))


class BuildPy(build_py):
    """Copies the modules of a wheel, with the drivers inside."""

    def finalize_options(self) -> None:
        names = self.distribution
        if not names.py_modules:  # else an editable installation
            names.packages = [*_found(OWN), *(f"{OWN}.{package}" for package in _found(MOVED))]
            names.package_dir = {**(names.package_dir or {}), f"{OWN}.{MOVED}": MOVED}
        super().finalize_options()

    def run(self) -> None:
        if not self.editable_mode:
            rmtree(self.build_lib, ignore_errors=True)  # of an earlier build: what has been removed since would be packed
        super().run()

    def build_module(self, module: str, module_file: str, package: str | list[str] | tuple[str, ...]) -> tuple[str, bool]:
        target, copied = super().build_module(module, module_file, package)
        path = Path(target)
        source = path.read_text("utf-8")
        try:
            path.write_text(moved(source), "utf-8", newline="")
        except ValueError as e:
            raise SystemExit(f"{module_file}, {e}") from e
        return str(target), bool(copied)


class EditableWheel(editable_wheel):
    """Leads to the checkout, with its names."""

    def finalize_options(self) -> None:
        names: Distribution = self.distribution
        names.packages = [*_found(OWN), *_found(MOVED)]
        names.py_modules = [MODULE_OF_CHECKOUT]
        super().finalize_options()


class BdistWheel(bdist_wheel):
    """Packs a wheel whose bytes depend on the sources alone: not on the time, nor on the permissions of the checkout."""

    def write_wheelfile(self, *args: object, **kwargs: object) -> None:
        """The last step before everything below `bdist_dir` is packed."""
        super().write_wheelfile(*args, **kwargs)
        fix_time()
        for path in Path(self.bdist_dir).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


class Sdist(sdist):
    """Packs the files that MANIFEST.in names, as root's and with the time of the release."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.owner = self.group = "root"

    def make_archive(self, *args: object, **kwargs: object) -> str:
        path = Path(super().make_archive(*args, **kwargs))
        with path.open("r+b") as archive:  # gzip's own header has the present time: RFC 1952 §2.3
            archive.seek(4)
            archive.write(int(os.environ["SOURCE_DATE_EPOCH"]).to_bytes(4, "little"))
        return str(path)

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        fix_time()
        time = int(os.environ["SOURCE_DATE_EPOCH"])
        for path in (*Path(base_dir).rglob("*"), Path(base_dir)):
            if path.is_dir():
                path.chmod(0o755)
            else:
                if path.stat().st_nlink > 1:  # hard links to the checkout, whose times are its own
                    content = path.read_bytes()
                    path.unlink()
                    path.write_bytes(content)
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
            os.utime(path, (time, time))
