"""`xmpp-rest export --xep-0227 FILE`: exports the accounts of the storage, for another server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from drivers import Driver, open_driver
from xmpp_rest.cli.gateway import require_storage, running
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.left_over import archive_left_over
from xmpp_rest.gateway.startup import folder_of
from xmpp_rest.importing.own import OwnAccounts
from xmpp_rest.importing.records import ACCOUNTS, Account, LeftOut
from xmpp_rest.importing.xep0227.writing import AccountWriting
from xmpp_rest.incidents import Incidents

LONGEST = 255  # bytes of a file's name


def run(load: Load, options: argparse.Namespace) -> int:
    """Export; the exit code. The gateway may run meanwhile. Raises SettingsError, StorageError, OSError, GatewayError, CannotStart."""
    settings = load()
    require_storage(settings, offline=True)
    folder, domain = folder_of(settings), options.domain or settings.gateway.domain
    with running(settings) as gateway, closing(open_driver(settings.storage.url, folder)) as driver:
        if gateway is None:
            archive_left_over(folder, settings.gateway.domain, driver, Incidents())
        return _export(driver, domain, options)


def _export(driver: Driver, domain: str, options: argparse.Namespace) -> int:
    left, count = [0], [0]

    def leave(who: str, part: LeftOut) -> None:
        left[0] += part.number
        print(f"xmpp-rest export: left out: {who}: {part.kind}: {part.reason}", file=sys.stderr)

    def accounts() -> Iterator[Account]:
        for account in OwnAccounts(driver, domain).all():
            count[0] += 1
            yield account

    writing = AccountWriting(leave, twice=options.for_ejabberd)
    try:
        if options.file.is_dir():
            for account in accounts():
                name = f"{account.localpart}@{domain}.xml"
                if len(name.encode()) > LONGEST:
                    leave(f"{account.localpart}@{domain}", LeftOut(ACCOUNTS, "the name is too long for a file; export to one file"))
                    count[0] -= 1
                    continue
                write_private(options.file / name, writing.file(domain, [account]))
        else:
            write_private(options.file, writing.file(domain, accounts()))
    except OSError as e:
        raise CannotStart(Exit.CANTCREAT, f"{options.file}: {e.strerror}") from e
    print(f"exported: {count[0]} account{'s' * (count[0] != 1)}" + (f"; left out: {left[0]}" if left[0] else ""))
    return Exit.REFUSED if left[0] else Exit.DONE


def write_private(path: Path, lines: Iterator[str]) -> None:
    """Write a file that only its owner can read, whole or not at all. Raises OSError."""
    beside = path.with_name(f".{os.getpid()}.part")  # a name that fits wherever that of `path` does
    try:
        with open(beside, "w", encoding="utf-8", opener=_opener(0o600)) as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _opener(mode: int) -> Callable[[str, int], int]:
    return lambda path, flags: os.open(path, flags | os.O_EXCL, mode)
