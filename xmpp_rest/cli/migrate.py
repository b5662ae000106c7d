"""`xmpp-rest migrate FROM TO`: copies one storage to another, and compares."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from drivers import BadStorageURL, Driver, StorageError, open_driver
from drivers.batches import result_of
from drivers.lease import NOTE, LeaseTaken, held, holdings
from drivers.migrate import MigrationStep, Report, migrate
from drivers.progress import ProgressDisplay
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.storage_url import shown_url
from xmpp_rest.gateway.data_folder import unwritable
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import storage_path
from xmpp_rest.gateway.tool_lease import held_for

log = logging.getLogger("xmpp_rest.storage")
PROGRAM = "`xmpp-rest migrate`"


def run(_: Load, options: argparse.Namespace) -> int:
    """Migrate; the exit code. No configuration is read. Raises StorageError, CannotStart."""
    try:
        return _run(options, Path.cwd())
    except BadStorageURL as e:  # written here, and not in a configuration; but a package that is missing is none of the words
        raise CannotStart(Exit.CONFIG if isinstance(e.__cause__, ImportError) else Exit.USAGE, str(e)) from e


def _run(options: argparse.Namespace, folder: Path) -> int:
    if _is_same(options.source, options.target, folder):
        return _say("FROM and TO are the same storage", code=Exit.USAGE)
    with closing(open_driver(options.source, folder)) as source, closing(open_driver(options.target, folder)) as target:
        if not source.exists():
            return _say(f"there is no storage {shown_url(options.source)}: relative paths are below {folder}", code=Exit.NOINPUT)
        source.read_only()
        if options.dry_run and target.exists():
            target.read_only()
        if _in_use(source, target):
            return Exit.TEMPFAIL
        if not (options.dry_run or target.exists()):
            _require_place(options.target, folder)
        log.info("reads %s, and writes %s", shown_url(options.source), "nothing" if options.dry_run else shown_url(options.target))
        if options.dry_run:
            report = _try(source, target, options)
        else:
            with _leases(source, target, options.source, folder):
                report = _migrate(source, target, options)
    _print(report, dry_run=options.dry_run)
    return Exit.REFUSED if report.problems else Exit.DONE


def _is_same(source: str, target: str, folder: Path) -> bool:
    one, other = storage_path(source, folder), storage_path(target, folder)
    return source == target or (one is not None and other is not None and one.resolve() == other.resolve())


def _require_place(target: str, folder: Path) -> None:
    """Raise CannotStart if the target, which is a file or folder, cannot be made."""
    path = storage_path(target, folder)
    if path is not None and (sentence := unwritable(path.parent)):
        raise CannotStart(Exit.CANTCREAT, f"TO = {target}: {sentence}")


def _in_use(source: Driver, target: Driver) -> bool:
    """Whether a gateway uses one of the two, which is printed. Raises StorageError."""
    used: dict[tuple[str, str], list[str]] = {}  # by whom → domains
    for which, driver in (("FROM", source), *([("TO", target)] if target.exists() else [])):
        for domain, holding in held(driver):
            used.setdefault((which, holding.where), []).append(domain)
    for (which, where), domains in used.items():
        remedy = "stop it first, or what it writes meanwhile will be missing"
        _say(f"a gateway uses {which} for {', '.join(domains)}: {where}; {remedy}", code=0)
    return bool(used)


@contextmanager
def _leases(source: Driver, target: Driver, source_url: str, folder: Path) -> Iterator[None]:
    """Hold the leases of both, so that no gateway is started on one of them meanwhile. Raises LeaseTaken, StorageError.

    A source that no gateway has ever used has no leases, and gets none: it may be another program's.
    """
    domains = sorted({*source.hosts(), *holdings(source.note(NOTE)), *(holdings(target.note(NOTE)) if target.exists() else ())})
    with ExitStack() as stack:
        stack.enter_context(held_for(target, None, domains, PROGRAM))
        if source.note(NOTE) is not None:
            itself = stack.enter_context(closing(open_driver(source_url, folder)))  # `source` only reads
            try:
                stack.enter_context(held_for(itself, None, domains, PROGRAM))
            except LeaseTaken:
                raise
            except StorageError as e:
                log.info("FROM cannot be written, so that no gateway can use it either: %s", e)
        yield


def _try(source: Driver, target: Driver, arguments: argparse.Namespace) -> Report:
    """The report of a dry run. Nothing is written, not even on opening; a target that does not exist yet is empty."""
    if target.exists():
        return _migrate(source, target, arguments)
    with TemporaryDirectory() as folder, closing(open_driver("flatfile:nothing", Path(folder))) as nothing:
        return _migrate(source, nothing, arguments)


def _say(sentence: str, *, code: int) -> int:
    print(f"xmpp-rest migrate: {sentence}", file=sys.stderr)
    return code


def _migrate(source: Driver, target: Driver, arguments: argparse.Namespace) -> Report:
    total = None if arguments.quiet else result_of(source.count_places)
    with ProgressDisplay("stores", None if isinstance(total, Exception) else total, quiet=arguments.quiet) as progress:

        def show(step: MigrationStep) -> None:
            progress.advance()
            if step.sentence:
                progress.say(f"{step.place} ({step.place.sort}) {step.outcome}: {step.sentence}")

        return migrate(source, target, dry_run=arguments.dry_run, overwrite=arguments.overwrite, progress=show)


def _print(report: Report, *, dry_run: bool) -> None:
    if dry_run and not report.stores["to copy"]:
        print("would copy: 0 stores, 0 items")
    for outcome, stores in sorted(report.stores.items()):
        print(f"{'would copy' if outcome == 'to copy' else outcome}: {stores} stores, {report.items[outcome]} items")
    if not report.stores:
        print("there is nothing to copy")
