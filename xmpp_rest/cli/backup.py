"""`xmpp-rest backup FILE` and `xmpp-rest restore FILE`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.progress import ProgressDisplay
from xmpp_rest.api.commands.audit import record
from xmpp_rest.auth.rights import Principal
from xmpp_rest.cli.gateway import audited, require_folder, require_started
from xmpp_rest.cli.runner import PLACE
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.backup import Backup
from xmpp_rest.gateway.backup_file import Manifest
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.restore import in_place, to_folder
from xmpp_rest.gateway.startup import folder_of, storage_path


def back_up(load: Load, options: argparse.Namespace) -> int:
    """Make a backup; the exit code. Raises SettingsError, CannotStart, StorageError, GatewayError."""
    settings = load()
    with_storage = not options.without_storage
    if storage_path(settings.storage.url, folder_of(settings)):
        require_started(settings)
    elif not with_storage:  # a database: it may be down; and with it there is no backup anyway
        require_folder(settings)
    with system_errors(), ProgressDisplay("bytes", Backup(settings).size if with_storage else None, quiet=options.quiet) as progress:
        backup = Backup(settings, progress.advance)
        manifest = backup.make(options.file, storage=with_storage)
    for path in backup.left_out:
        print(f"xmpp-rest: {path}: is not a file, and not in the backup", file=sys.stderr)
    _note("backup", folder_of(settings), file=str(options.file), storage=with_storage)
    if not options.quiet:
        print(f"kept: {_amount(manifest)} in {options.file}")
    return Exit.DONE


def restore(load: Load, options: argparse.Namespace) -> int:
    """Restore a backup; the exit code. `load` reads the configuration, which --to needs not. Raises CannotStart, StorageError."""
    with system_errors():
        if options.to is not None:
            manifest = to_folder(options.file, options.to, force=options.force)
            folder = options.to / "data"
            where = f"{options.to}; start it with --config {options.to / 'wsgi.ini'}"
        else:
            settings = load()
            manifest = in_place(options.file, settings, force=options.force)
            folder = folder_of(settings)
            where = f"{folder}; the configuration was left as it is"
        _note("restore", folder, file=str(options.file), backup_of=manifest.time, force=options.force)
    if not options.quiet:
        print(f"restored: {_amount(manifest)} of {manifest.time}, {manifest.domain}, to {where}")
    if not manifest.storage:
        print("xmpp-rest: there is no storage in this backup; restore the database with its own program", file=sys.stderr)
    return Exit.DONE


def _note(verb: str, folder: Path, **arguments: Any) -> None:
    """Leave a line in the audit of this data folder, if this user may."""
    if os.access(folder, os.W_OK):
        with audited(folder):
            record(Principal(), PLACE, verb, list(arguments.items()), 200)


def _amount(manifest: Manifest) -> str:
    return f"{len(manifest.files)} files, {sum(entry.size for entry in manifest.files.values())} bytes"


@contextmanager
def system_errors() -> Iterator[None]:
    """Turn errors of the system into errors with an exit code."""
    try:
        yield
    except PermissionError as e:
        raise CannotStart(Exit.NOPERM, f"{e.filename or ''}: {e.strerror}; run this as the user of the gateway") from e
    except OSError as e:
        raise CannotStart(Exit.CANTCREAT, f"{e.filename}: {e.strerror}" if e.filename and e.strerror else str(e)) from e
