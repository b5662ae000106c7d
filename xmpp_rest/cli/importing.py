"""`xmpp-rest import SOURCE`: imports what another server has stored, into the storage of the configuration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from drivers import Driver, StorageError, open_driver
from drivers.lease import LeaseTaken, held
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.cli.gateway import running
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.data_folder import ready_folder
from xmpp_rest.gateway.exit_codes import Exit
from xmpp_rest.gateway.left_over import archive_left_over
from xmpp_rest.gateway.startup import folder_of
from xmpp_rest.gateway.storage_lease import node_of
from xmpp_rest.importing.accounts import Conflict
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.imported import HostedDomains, Import
from xmpp_rest.importing.readers import OPENERS
from xmpp_rest.importing.report import LEFT_OUT, READ, ImportReport
from xmpp_rest.importing.sources import BadSource, NoSource, SourceRequest, opened
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.prep import PrepError, nameprep

INCOMPLETE = 1  # something was left out, or there was a conflict and --on-conflict fail
CODES = (
    f"exit codes: 0 everything was imported or was there, {INCOMPLETE} something was left out, {Exit.DATAERR:d} SOURCE cannot be read, "
    f"{Exit.NOINPUT:d} there is no SOURCE, {Exit.UNAVAILABLE:d} the storage cannot be written, {Exit.TEMPFAIL:d} a gateway runs"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import`."""
    parser.epilog = f"{CODES}. docs/importing.md has more."
    known = ", ".join(f"{prefix}:…" for prefix in OPENERS if prefix)
    parser.add_argument("source", metavar="SOURCE", help=f"a file or folder of XEP-0227, or one of {known}")
    domain = "import the domain OLD as NEW, in all addresses; for rooms too, and may be given several times"
    parser.add_argument("--domain", metavar="OLD=NEW", type=_renaming, action="append", default=[], help=domain)
    parser.add_argument("--dry-run", action="store_true", help="read everything, write nothing, and report what would be done")
    conflict = "what to do with accounts and rooms that are there already (default: skip; fail: stop at the first one)"
    parser.add_argument("--on-conflict", choices=("skip", "replace", "fail"), default="skip", help=conflict)
    parser.add_argument("--quiet", action="store_true", help="print neither progress nor what is left out, only the table at the end")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Import; the exit code. Raises StorageError, OSError, CannotStart, and LeaseTaken if a gateway runs."""
    say: Callable[[str], object] = _silent if options.quiet else _say
    report, domains = ImportReport(say), Domains(dict(options.domain))
    try:
        source = opened(options.source, SourceRequest("", Path.cwd(), domains), OPENERS)
        with _target(settings, options.dry_run) as driver:
            passwords = Passwords(settings.auth.password_hash, settings.auth.iterations)
            hosted = HostedDomains(settings.gateway.domain, settings.gateway.rooms_domain, settings.gateway.conference_domain)
            work = partial(Import, driver, report, domains, hosted, passwords, options.on_conflict)
            work(dry_run=options.dry_run, say=say).run(source)
    except NoSource as e:
        return _say(str(e), Exit.NOINPUT)
    except BadSource as e:
        if report.total(READ) or report.total(LEFT_OUT):
            _print(report, options)
        return _say(str(e), Exit.DATAERR)
    except Conflict as e:
        _print(report, options)
        return _say(str(e), INCOMPLETE)
    except StorageError:
        if report.total(READ):
            _print(report, options)
        raise
    _print(report, options)
    return INCOMPLETE if report.total(LEFT_OUT) else Exit.DONE


def _print(report: ImportReport, options: argparse.Namespace) -> None:
    for line in report.lines(dry_run=options.dry_run):
        print(line)


@contextmanager
def _target(settings: Settings, dry_run: bool) -> Iterator[Driver | None]:
    """The storage, which is made if it is missing; with `dry_run` read only, and None if it is missing. Raises LeaseTaken, StorageError."""
    folder = folder_of(settings)
    with running(settings) as gateway:
        if gateway and not dry_run:
            raise LeaseTaken(f"a gateway runs on {folder}; stop it first, or what it remembers and what is imported will differ")
    if not dry_run:
        ready_folder(folder, Path(settings.base))
    with closing(open_driver(settings.storage.url, folder)) as driver:
        if dry_run:
            if not (folder.is_dir() and driver.exists()):
                yield None
                return
            driver.read_only()
        else:
            require_unused(driver, node_of(folder))
            archive_left_over(folder, settings.gateway.domain, driver, Incidents())
        yield driver


def require_unused(driver: Driver, node: str) -> None:
    """Raise LeaseTaken if a gateway uses the storage; that of this data folder, the `node`, is known not to run."""
    for domain, holding in held(driver) if driver.exists() else ():
        if holding.node != node:
            raise LeaseTaken(f"a gateway uses the storage for {domain}: {holding.where}; stop it first")


def _renaming(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    try:
        if sign and old and new:
            return nameprep(old), nameprep(new)
    except PrepError as e:
        raise argparse.ArgumentTypeError(f"{text!r} does not name two domains: {e}") from e
    raise argparse.ArgumentTypeError(f"{text!r}: write the domain in SOURCE, =, and the domain here")


def _say(sentence: str, code: int = 0) -> int:
    print(f"xmpp-rest import: {sentence}", file=sys.stderr)
    return code


def _silent(_: str) -> None:
    """For --quiet."""
