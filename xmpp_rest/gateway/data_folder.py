"""The data folder of the gateway: made if missing, and readable only by its owner."""

from __future__ import annotations

import logging
import os
import pwd
import stat
from pathlib import Path

from xmpp_rest.gateway.exit_codes import CannotStart, Exit

log = logging.getLogger("xmpp_rest.server")
OTHERS = stat.S_IRWXG | stat.S_IRWXO
MARKS = frozenset(
    {
        *("owner.lock", "hub.sock", "processes.lock", "node", "admin-password", "admin-password.new"),
        *("audit.log", "outbox", "callbacks", "gateway.sqlite", "generations", "unarchived", "metrics", "spread"),
    }
)
"""Names of files of a gateway. A folder with none of them, but other content, may be anything, such as /var/lib or a home."""
PRIVATE = (".sqlite", ".sqlite-wal", ".sqlite-shm")


def ready_folder(folder: Path, base: Path) -> None:
    """Make the folder if it is missing, and remove the rights of others. `base`: the folder of the configuration.

    Raises CannotStart.
    """
    if sentence := problem_of(folder, base):
        raise refused(folder, sentence)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise refused(folder, f"cannot be made: {e.strerror}; {_remedy()}") from e
    _tighten(folder)


def problem_of(folder: Path, base: Path) -> str:
    """What is wrong with a folder that is there or can be made; empty if nothing is. Changes nothing."""
    if sentence := unwritable(folder):
        return sentence
    if folder.exists() and folder.stat().st_mode & OTHERS and not _is_own(folder, base):
        rights = f"others have rights there (mode {stat.S_IMODE(folder.stat().st_mode):o})"
        return f"{rights}, and it may not be the gateway's alone; chmod 700 it, or write a folder of its own, such as {folder / 'data'}"
    return ""


def unwritable(folder: Path) -> str:
    """Why nothing can be made below a folder, which may have to be made first; empty if it can."""
    try:
        found = next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)
    except OSError as e:
        return f"cannot be read: {e.strerror}; {_remedy()}"
    if not found.is_dir():
        return f"{found} is a file; write the path of a folder"
    if not os.access(found, os.R_OK | os.W_OK | os.X_OK):
        return f"{found} cannot be written by {user_name()}; {_remedy()}"
    return ""


def refused(folder: Path, sentence: str) -> CannotStart:
    """The error that names the setting."""
    return CannotStart(Exit.CANTCREAT, f"[server] data_dir = {folder}: {sentence}")


def _remedy() -> str:
    return f"give it to {user_name()} (chown, or choose another folder)"


def user_name() -> str:
    """The user whose rights count, for people."""
    number = os.geteuid()
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user with the number {number}"


def _is_own(folder: Path, base: Path) -> bool:
    """Whether the rights of others in the folder are needed by nobody."""
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
        return False
    inside = (base.resolve(), Path.home().resolve())
    if any(place.is_relative_to(folder.resolve()) for place in inside):
        return False
    names = set(os.listdir(folder))
    return not names or bool(names & MARKS)


def _tighten(folder: Path) -> None:
    """No rights for others in the folder, and in what the gateway keeps there."""
    paths = [folder, *(folder / name for name in os.listdir(folder) if name in MARKS or name.endswith(PRIVATE))]
    for path in paths:
        try:
            found = path.lstat() if path != folder else path.stat()
            if found.st_mode & OTHERS and found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode):
                path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
                log.warning("%s: others had rights there (mode %o); they have none now", path, stat.S_IMODE(found.st_mode))
        except FileNotFoundError:  # a log of the database that was just ended
            continue
