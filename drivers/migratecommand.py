"""`xmpp-rest migrate FROM TO`: the command line of a migration."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path

from drivers import BadStorageURL, Driver, StorageError, open_driver
from drivers.lease import held
from drivers.migrate import Report, Step, migrate

BUSY = 75
"""Exit code: EX_TEMPFAIL of sysexits.h."""
EVERY = 1.0
"""Seconds between lines of progress."""


def run_cli(argv: list[str], base: Path | None = None) -> int:
    """Run with the arguments behind `migrate`; relative paths are below `base`, the current folder by default.

    The exit code: 0 all is there, 1 something failed or differs, 2 a storage cannot be opened or listed, 75 a gateway uses TO.
    """
    arguments = _parser().parse_args(argv)
    folder = base or Path.cwd()
    if arguments.source == arguments.target:
        print("FROM and TO are the same storage", file=sys.stderr)
        return 2
    try:
        with closing(open_driver(arguments.source, folder)) as source, closing(open_driver(arguments.target, folder)) as target:
            if not arguments.dry_run and _in_use(source, target):
                return BUSY
            report = migrate(source, target, dry_run=arguments.dry_run, overwrite=arguments.overwrite, progress=_Progress())
    except (BadStorageURL, StorageError) as e:
        print(e, file=sys.stderr)
        return 2
    _print(report)
    return 1 if report.problems else 0


def _in_use(source: Driver, target: Driver) -> bool:
    """Whether a gateway uses the target; said of both. Raises StorageError."""
    used = list(held(target))
    for domain, holding in used:
        print(f"a gateway uses TO for {domain}: {holding.where}; stop it first, or it would write beside the copy", file=sys.stderr)
    for domain, holding in held(source):
        print(f"a gateway uses FROM for {domain}: {holding.where}; what it writes from now on may not be copied", file=sys.stderr)
    return bool(used)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xmpp-rest migrate",
        description="Copy every store of one storage to another, and compare. Started again, it goes on where it was interrupted.",
    )
    parser.add_argument("source", metavar="FROM", help="storage URL, such as flatfile:/var/lib/prosody")
    parser.add_argument("target", metavar="TO", help="storage URL, such as sqlite:gateway.sqlite")
    parser.add_argument("--dry-run", action="store_true", help="read everything, write nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace what differs in TO (it is reported and left alone otherwise)")
    return parser


class _Progress:
    """Prints a line now and then, and every problem at once."""

    def __init__(self) -> None:
        self._stores = 0
        self._next = time.monotonic() + EVERY

    def __call__(self, step: Step) -> None:
        self._stores += 1
        if step.sentence:
            print(f"{step.place} ({step.sort}) {step.outcome}: {step.sentence}", file=sys.stderr)
        if time.monotonic() >= self._next:
            print(f"{self._stores} stores, now {step.place}", file=sys.stderr)
            self._next = time.monotonic() + EVERY


def _print(report: Report) -> None:
    for outcome, stores in sorted(report.stores.items()):
        print(f"{outcome}: {stores} stores, {report.items[outcome]} items")
    if not report.stores:
        print("there is nothing to copy")
