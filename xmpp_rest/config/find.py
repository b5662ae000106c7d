"""Which configuration is read: the one that is named, else the first one that is found."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from xmpp_rest.config.load import SettingsError

CONFIG = "XMPP_REST_CONFIG"
NAME = "wsgi.ini"
CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEM = Path("/etc/xmpp-rest")
OTHERS = stat.S_IWGRP | stat.S_IWOTH
REMEDY = "name it with --config if it is to be trusted"


def find_config(named: str | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration: the file that is named here or by XMPP_REST_CONFIG, else the first of `places` that is there.

    A file that was found, and that others could have written, can name code to run: it is refused. Raises SettingsError.
    """
    if named is not None:
        if not named:
            raise SettingsError(["--config: it is empty; write the path of a file behind it"])
        return Path(named)
    if environ.get(CONFIG):
        return Path(environ[CONFIG])
    for path in places(environ):
        if os.path.lexists(path):
            _require_trust(path)
            return path
    return None


def places(environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Where a configuration is looked for, in this order."""
    yield Path.cwd() / NAME
    if _is_checkout(CHECKOUT):
        yield CHECKOUT / NAME
    home = environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(home):  # the specification of these folders has others ignored
        yield Path(home) / "xmpp-rest" / NAME
    elif environ.get("HOME"):
        yield Path(environ["HOME"]) / ".config" / "xmpp-rest" / NAME
    yield SYSTEM / NAME


def _is_checkout(folder: Path) -> bool:
    """Whether this program runs from there. An installed package has its drivers inside; beside it there may be anybody's app.py."""
    installed = (Path(__file__).parents[1] / "drivers").exists()
    return folder.resolve() == CHECKOUT and not installed and (CHECKOUT / "app.py").exists() and (CHECKOUT / "drivers").is_dir()


def _require_trust(path: Path) -> None:
    """Raise SettingsError if neither this user nor root owns the file, or a link to it, or if others may write it.

    In the folder of a checkout, who owns the code of this program or may write it needs no configuration to run code of their own.
    """
    try:
        link, found = path.lstat(), path.stat()
        code = Path(__file__).stat() if _is_checkout(path.parent) else None
    except OSError as e:
        raise SettingsError([f"{path}: cannot be read: {e.strerror}; {REMEDY}"]) from e
    trusted = {0, os.geteuid(), *((code.st_uid,) if code else ())}
    if strangers := {each.st_uid for each in (link, found)} - trusted:
        raise SettingsError([f"{path}: belongs to another user (number {strangers.pop()}), and it can name code to run; {REMEDY}"])
    if found.st_mode & OTHERS & ~(code.st_mode if code else 0):
        mode = f"others may write it (mode {stat.S_IMODE(found.st_mode):o}), and it can name code to run"
        raise SettingsError([f"{path}: {mode}; chmod go-w it, or {REMEDY}"])
