"""Access of the command line to the gateway: by a call to the leader, or, with --offline, on the storage itself."""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from drivers import StorageError, open_driver
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.data_folder import user_name
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.left_over import archive_left_over
from xmpp_rest.gateway.startup import explained, folder_of
from xmpp_rest.logs.lines import TextLines
from xmpp_rest.processes.calls import LeaderClient

log = logging.getLogger("xmpp_rest.commands")
SHOWN = 20  # remarks about one storage
BEGINS_AGAIN = 2.0  # seconds that a node of a cluster may take for it
PAUSE = 0.05  # seconds between two attempts to reach it
AUDIT = "audit.log"  # in the data folder: the audit of commands that ran without a gateway


def place(settings: Settings) -> str:
    """The configuration file and the data folder in use."""
    return f"configuration: {settings.file or 'no file (name one with --config or XMPP_REST_CONFIG)'}; data folder: {folder_of(settings)}"


def say_place(settings: Settings, program: str, *, asked: bool) -> None:
    """Print the configuration and folder in use, if asked."""
    if asked:
        print(f"{program}: {place(settings)}", file=sys.stderr)


@contextmanager
def running(settings: Settings) -> Iterator[LeaderClient | None]:
    """The running gateway; None if none runs. Raises CannotStart if this user may not reach it."""
    try:
        client = _connected(settings)
    except PermissionError as e:
        raise _not_permitted(settings) from e
    if client is None:
        yield None
        return
    log.info("a gateway runs, and is asked")
    with closing(client):
        yield client


def _connected(settings: Settings) -> LeaderClient | None:
    """A connection to the gateway; None where none runs. A node that has just given up a domain is out of reach for a moment."""
    until = time.monotonic() + (BEGINS_AGAIN if settings.cluster.is_on else 0.0)
    while True:
        try:
            return LeaderClient(folder_of(settings))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            if time.monotonic() >= until:
                return None
        time.sleep(PAUSE)


def require_storage(settings: Settings, offline: bool) -> None:
    """Refuse to work on a missing storage, which is never made, or without --offline. Raises CannotStart, GatewayError."""
    require_started(settings)
    if not offline:
        remedy = "start it, or say --offline to work on its storage"
        raise GatewayError("link-down", f"The gateway does not run; {remedy} ({place(settings)})")


def require_started(settings: Settings) -> None:
    """Raise CannotStart if there is no storage, as no gateway was ever started there; nothing is made."""
    require_folder(settings)
    try:
        with closing(open_driver(settings.storage.url, folder_of(settings))) as driver:
            if not driver.exists():
                raise _nothing(settings)
    except StorageError as e:
        raise explained(e, settings) from e


def require_folder(settings: Settings) -> None:
    """Raise CannotStart if there is no data folder, or if this user may not use it."""
    folder = folder_of(settings)
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise _nothing(settings)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise _nothing(settings) from e
    except PermissionError as e:
        raise _not_permitted(settings) from e
    if not os.access(folder, os.R_OK | os.X_OK):
        raise _not_permitted(settings)


def _nothing(settings: Settings) -> CannotStart:
    where = f"[server] data_dir of {settings.file}" if settings.file else "[server] data_dir; there is no configuration file"
    return CannotStart(Exit.UNAVAILABLE, f"no storage in {folder_of(settings)} ({where}): no gateway was ever started there")


def _not_permitted(settings: Settings) -> CannotStart:
    folder = folder_of(settings)
    remedy = "run the command as the user of the gateway"
    return CannotStart(Exit.NOPERM, f"[server] data_dir = {folder}: {user_name()} may not use it; {remedy} ({place(settings)})")


@contextmanager
def alone(settings: Settings, offline: bool) -> Iterator[Gateway]:
    """A gateway on the storage, without link, threads and HTTP.

    Raises StorageError, GatewayError, LeaseTaken if one runs from another data folder.
    """
    require_storage(settings, offline)
    log.info("no gateway runs: the storage itself is worked on")
    gateway = Gateway(settings)
    try:
        gateway.parts.lease.require_free()
        archive_left_over(gateway.data_dir, settings.gateway.domain, gateway.driver, gateway.incidents)
        with audited(folder_of(settings)):
            yield gateway
            gateway.parts.jobs.wait()
    finally:
        gateway.stop()


def storage_remarks(settings: Settings) -> Iterator[str]:
    """The remarks about a storage that can be used, but needs attention, a sentence each. Opens it read-only; makes nothing."""
    try:
        with closing(open_driver(settings.storage.url, folder_of(settings))) as driver:
            doubts = driver.doubts()
            yield from islice(doubts, SHOWN)
            if next(doubts, None) is not None:
                yield "there is more of this in the storage"
    except (StorageError, OSError):  # an error, not a remark: gateway/startup.py
        return


class _PrivateFile(logging.FileHandler):
    """A log file that only its owner can read, who is the folder's: root makes none that the gateway's user could not write on."""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    if os.geteuid() == 0:
        owner = os.stat(os.path.dirname(path))
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


@contextmanager
def audited(folder: Path) -> Iterator[None]:
    """Write audit records in this context to a file in this data folder only."""
    audit = _PrivateFile(folder / AUDIT, encoding="utf-8", delay=True)
    audit.setFormatter(TextLines())
    logger = logging.getLogger("xmpp_rest.audit")
    level, logger.propagate = logger.level, False
    logger.addHandler(audit)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(audit)
        logger.setLevel(level)
        logger.propagate = True
        audit.close()
