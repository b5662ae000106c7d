"""`xmpp-rest migrate FROM TO`: the command line of a migration."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from drivers import BadStorageURL, Driver, StorageError, open_driver
from drivers.batches import result_of
from drivers.lease import held
from drivers.migrate import MigrationStep, Report, migrate
from drivers.progress import ProgressDisplay

FAILED, NO_SOURCE, GATEWAY_RUNS = 2, 66, 75  # the last two are EX_NOINPUT and EX_TEMPFAIL of sysexits.h


def run_cli(argv: list[str], base: Path | None = None) -> int:
    """Run with the arguments after `migrate`; relative paths are below `base`, the current folder by default.

    The exit code: 0 all is there, 1 something failed or differs, 2 a storage cannot be opened or listed, 66 there is no source,
    75 a gateway uses one of the two.
    """
    arguments = _parser().parse_args(argv)
    folder = (base or Path.cwd()).absolute()
    if arguments.source == arguments.target:
        return _say("FROM and TO are the same storage", code=FAILED)
    try:
        with closing(open_driver(arguments.source, folder)) as source, closing(open_driver(arguments.target, folder)) as target:
            if not source.exists():
                return _say(f"there is no storage {_without_password(arguments.source)}: relative paths are below {folder}", code=NO_SOURCE)
            source.read_only()
            if arguments.dry_run and target.exists():
                target.read_only()
            if _in_use(source, target) and not arguments.dry_run:
                return GATEWAY_RUNS
            report = _try(source, target, arguments) if arguments.dry_run else _migrate(source, target, arguments)
    except (BadStorageURL, StorageError) as e:
        return _say(str(e), code=FAILED)
    _print(report)
    return 1 if report.problems else 0


def _in_use(source: Driver, target: Driver) -> bool:
    """Whether a gateway uses one of the two, which is printed. Raises StorageError."""
    used = [("FROM", *entry) for entry in held(source)]
    used += [("TO", *entry) for entry in held(target)] if target.exists() else []
    for which, domain, holding in used:
        _say(f"a gateway uses {which} for {domain}: {holding.where}; stop it first, or what it writes meanwhile will be missing", code=0)
    return bool(used)


def _try(source: Driver, target: Driver, arguments: argparse.Namespace) -> Report:
    """The report of a dry run. Nothing is written, not even on opening; a target that does not exist yet is empty."""
    if target.exists():
        return _migrate(source, target, arguments)
    with TemporaryDirectory() as folder, closing(open_driver("flatfile:nothing", Path(folder))) as nothing:
        return _migrate(source, nothing, arguments)


def _without_password(url: str) -> str:
    """A URL without what may be a password."""
    scheme, _, rest = url.partition(":")
    return url if scheme in ("sqlite", "flatfile", "jsonfile") else f"{scheme}:…{rest.rpartition('@')[2]}"


def _say(sentence: str, *, code: int) -> int:
    print(f"xmpp-rest migrate: {sentence}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xmpp-rest migrate",
        description="Copy every store of one storage to another, and compare. Started again, it goes on where it was interrupted.",
    )
    parser.add_argument("source", metavar="FROM", help="storage URL, such as flatfile:/var/lib/prosody")
    parser.add_argument("target", metavar="TO", help="storage URL, such as sqlite:gateway.sqlite")
    parser.add_argument("--dry-run", action="store_true", help="read everything, write nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace what differs in TO (it is reported and left alone otherwise)")
    parser.add_argument("--quiet", action="store_true", help="show no progress, only problems and the result")
    return parser


def _migrate(source: Driver, target: Driver, arguments: argparse.Namespace) -> Report:
    total = None if arguments.quiet else result_of(source.count_places)
    with ProgressDisplay("stores", None if isinstance(total, Exception) else total, quiet=arguments.quiet) as progress:

        def show(step: MigrationStep) -> None:
            progress.advance()
            if step.sentence:
                progress.say(f"{step.place} ({step.place.sort}) {step.outcome}: {step.sentence}")

        return migrate(source, target, dry_run=arguments.dry_run, overwrite=arguments.overwrite, progress=show)


def _print(report: Report) -> None:
    for outcome, stores in sorted(report.stores.items()):
        print(f"{'would copy' if outcome == 'to copy' else outcome}: {stores} stores, {report.items[outcome]} items")
    if not report.stores:
        print("there is nothing to copy")
