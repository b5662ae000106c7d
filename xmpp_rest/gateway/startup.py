"""Whether the gateway can start as it is configured: address, worker, folder and storage are tried before anything is made."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from drivers import BadStorageURL, Driver, StorageError, open_driver
from drivers.lease import LeaseTaken
from xmpp_rest.config.load import SettingsError
from xmpp_rest.config.storage_url import shown_url
from xmpp_rest.config.table import Settings
from xmpp_rest.config.worker_class import usable
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.data_folder import problem_of, refused, unwritable
from xmpp_rest.gateway.database_probe import silent_hosts
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.serving.listening import handed_over
from xmpp_rest.serving.listening import refused as refused_binds

REASONS = {
    errno.EADDRINUSE: "another program listens there; end it, or write another port",
    errno.EACCES: "this user may not listen there; write a port above 1023",
    errno.EPERM: "this user may not listen there; write a port above 1023",
    errno.EADDRNOTAVAIL: "is not an address of this machine; write 127.0.0.1 for this machine alone, or 0.0.0.0 for all its addresses",
}
OTHER_PORT = "stop it, or write another port, and another folder in data_dir"
PATH_REASONS = {
    errno.EADDRINUSE: "another program listens there; end it, or write another path",
    errno.EACCES: "this user may not make a socket there; write the path of a folder of this user",
    errno.ENOTSOCK: "is a file, and not a socket; write another path",
    errno.ENOENT: "there is no such folder; make it, or write another path",
}
"""The same, of Unix sockets."""
FILES = ("sqlite", "flatfile", "jsonfile")  # drivers whose place is a path
STARTING = (CannotStart, SettingsError, StorageError, GatewayError)
"""What may be wrong at a start."""


def folder_of(settings: Settings) -> Path:
    """The data folder, absolute."""
    return Path(settings.base) / settings.server.data_dir


def storage_path(url: str, folder: Path) -> Path | None:
    """The path of a storage, if it is a file or folder."""
    scheme, _, rest = url.partition(":")
    return folder / rest if scheme in FILES else None


def runs(folder: Path) -> bool:
    """Whether a gateway runs on this data folder. Raises OSError if that cannot be determined."""
    try:
        LeaderClient(folder).close()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return False
    return True


def require_start(settings: Settings) -> None:
    """Raise CannotStart if serving would fail; nothing is made. A node of several waits for a database that cannot be reached now."""
    for problem in problems(settings, waits=settings.cluster.is_on):
        raise problem


def problems(settings: Settings, *, beside: bool = False, waits: bool = False) -> Iterator[CannotStart]:
    """What would make serving fail. `beside`: a gateway of the same folder that listens already is not a problem.

    `waits`: nor is what may be over in a while.
    """
    yield from address_problems(settings, beside)
    yield from _worker_problems(settings)
    folder = folder_of(settings)
    if sentence := problem_of(folder, Path(settings.base)):
        yield refused(folder, sentence)
    else:
        yield from _storage_problems(settings, folder, waits)


def address_problems(settings: Settings, beside: bool) -> Iterator[CannotStart]:
    """What would make listening fail; `beside` as in `problems`."""
    if handed_over():
        return
    for bind, e in refused_binds(settings.server.bind, Path(settings.base)):
        own = e.errno == errno.EADDRINUSE and _runs(folder_of(settings))
        if own and beside:
            continue
        reason = REASONS.get(e.errno or 0, "")
        if own:
            reason = f"a gateway of the same folder ({folder_of(settings)}) listens there; {OTHER_PORT}"
        elif isinstance(e, socket.gaierror):
            reason = "the name has no address; write an address of this machine, such as 127.0.0.1"
        elif bind.path:
            reason = PATH_REASONS.get(e.errno or 0, "")
        yield CannotStart(Exit.OSERR, f"[server] bind = {bind}: {reason or e.strerror}")


def _runs(folder: Path) -> bool:
    try:
        return runs(folder)
    except OSError:
        return False


def _worker_problems(settings: Settings) -> Iterator[CannotStart]:
    """Whether the class can be loaded; `check` has only looked for its module."""
    from gunicorn.util import load_class  # only a gateway that serves by gunicorn needs it

    written = usable(settings.server.worker_class)
    try:
        load_class(written)
    except (RuntimeError, ImportError, AttributeError) as e:  # what gunicorn says ends with the exception, in brackets
        reason = str(e).strip().rstrip("]").strip().splitlines()[-1]
        remedy = "write xmpp_rest.serving.worker.Worker or gthread, or install what it needs"
        yield CannotStart(Exit.CONFIG, f"[server] worker_class = {written}: {reason}; {remedy}")


def _storage_problems(settings: Settings, folder: Path, waits: bool) -> Iterator[CannotStart]:
    try:
        with closing(open_driver(settings.storage.url, folder)) as driver:
            if silent := silent_hosts(settings.storage.url):
                raise StorageError(f"the database cannot be reached: {silent} does not answer")  # noqa: TRY301 (as what the driver raises)
            if driver.exists():
                driver.read_only()
                driver.check()
                yield from _cluster_problems(driver, settings) if settings.cluster.is_on and driver.shared else ()
            elif settings.cluster.is_on and driver.shared:
                driver.read_only()  # nothing is made, though nothing is there yet
                yield from _cluster_problems(driver, settings)
            elif (path := storage_path(settings.storage.url, folder)) and (sentence := unwritable(path.parent)):
                yield explained(StorageError(sentence), settings)
    except StorageError as e:
        if not waits or is_lasting(e):
            yield explained(e, settings)


def _cluster_problems(driver: Driver, settings: Settings) -> Iterator[CannotStart]:
    """Whether the database has what a cluster needs: a direct way, and as many copies as `[cluster] copies` says. Raises StorageError."""
    cluster = settings.cluster
    with closing(driver.open_shared(settings.gateway.domain, url=cluster.url, notify=cluster.notify)) as shared:
        found = shared.standby_settings()
        try:
            shared.check()
        except StorageError as e:
            sentence = f"[cluster] url: {' '.join(str(e).removeprefix('[cluster] url ').split())}"
            yield CannotStart(Exit.CONFIG if e.lasting else Exit.UNAVAILABLE, sentence)
    if found.copies < (cluster.copies or 1):
        key = "synchronous_commit" if found.names.strip() else "synchronous_standby_names"
        has = f"{key} = {found.commit}" if found.names.strip() else f"{key} is empty"
        remedy = f"set {key} there" + ("" if found.names.strip() else ", such as '*' once a standby follows") + ", or write copies = 1"
        yield CannotStart(Exit.CONFIG, f"[cluster] copies: 2 needs a database that waits for a standby, and of this one {has}; {remedy}")


def is_lasting(error: Exception) -> bool:
    """Whether only another configuration helps; anything else may be over in a while, as when a database restarts."""
    match error:
        case CannotStart() | SettingsError() | LeaseTaken() | BadStorageURL() | GatewayError(name="bad-password"):
            return True
        case StorageError():
            return error.lasting
    return False


def explained(error: Exception, settings: Settings | None = None) -> CannotStart:
    """An error at the start as one with an exit code, section and key."""
    match error:
        case CannotStart():
            return error
        case SettingsError():
            return CannotStart(Exit.CONFIG, *error.problems)
        case LeaseTaken():
            return CannotStart(Exit.TEMPFAIL, str(error))
        case StorageError():
            code = Exit.CONFIG if isinstance(error, BadStorageURL) else Exit.UNAVAILABLE
            reason = " ".join(str(error).split())  # libpq says it in several lines
            return CannotStart(code, f"[storage] url = {shown_url(settings.storage.url)}: {reason}" if settings else reason)
        case GatewayError(name="bad-password"):
            return CannotStart(Exit.CONFIG, f"[auth] admin_password: {error.text}; write another one, or leave it empty")
    return CannotStart(Exit.UNAVAILABLE, error.text if isinstance(error, GatewayError) else str(error))
