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
from xmpp_rest.cli.verbs import Load
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


def run(load: Load, options: argparse.Namespace) -> int:
    """Import; the exit code. Raises SettingsError, StorageError, OSError, CannotStart, and LeaseTaken if a gateway runs."""
    settings = load()
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
        return _say(str(e), Exit.REFUSED)
    except StorageError:
        if report.total(READ):
            _print(report, options)
        raise
    _print(report, options)
    return Exit.REFUSED if report.total(LEFT_OUT) else Exit.DONE


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


def _say(sentence: str, code: int = 0) -> int:
    print(f"xmpp-rest import: {sentence}", file=sys.stderr)
    return code


def _silent(_: str) -> None:
    """For --quiet."""
