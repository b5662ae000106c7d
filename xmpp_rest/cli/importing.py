"""`xmpp-rest import SOURCE`: imports what another server has stored, into the storage of the configuration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from drivers import Driver, StorageError, open_driver
from drivers.lease import LeaseTaken
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.cli.gateway import require_started, running
from xmpp_rest.cli.verbs import Load
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.exit_codes import Exit
from xmpp_rest.gateway.left_over import archive_left_over
from xmpp_rest.gateway.startup import folder_of
from xmpp_rest.gateway.tool_lease import held_for
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
def _target(settings: Settings, dry_run: bool) -> Iterator[Driver]:
    """The storage, for which the import holds the lease; with `dry_run` read only. Raises CannotStart, LeaseTaken, StorageError."""
    folder = folder_of(settings)
    require_started(settings)
    with running(settings) as gateway:
        if gateway and not dry_run:
            raise LeaseTaken(f"a gateway runs on {folder}; stop it first, or what it remembers and what is imported will differ")
    with closing(open_driver(settings.storage.url, folder)) as driver:
        if dry_run:
            driver.read_only()
            yield driver
            return
        with held_for(driver, folder, settings.gateway.domains, "`xmpp-rest import`"):
            archive_left_over(folder, settings.gateway.domain, driver, Incidents())
            yield driver


def _say(sentence: str, code: int = 0) -> int:
    print(f"xmpp-rest import: {sentence}", file=sys.stderr)
    return code


def _silent(_: str) -> None:
    """For --quiet."""
