"""Makes a backup of a gateway, running or not: its configuration, secrets, data folder and storage in one file (decision 0045).

The order is what keeps all that was accepted. What is in a journal leaves it only when it is somewhere else: in the storage, or with the
XMPP server. So the journals are read first, and the storage is copied afterwards. Dead letters go the other way when they are replayed,
from the storage into a callback's journal: those journals are read once more at the end.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp

from drivers import Driver, NoCopies, open_driver
from drivers.copies import OnCopied, StorageFile, unsaid
from xmpp_rest import __version__
from xmpp_rest.config.portable import portable
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.backup_file import BackupWriter, Manifest, is_safe
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import FILES, folder_of, storage_path
from xmpp_rest.gateway.storage_lease import NODE, PROCESSES
from xmpp_rest.link.journal_copy import JournalCopy
from xmpp_rest.processes.channel import SOCKET
from xmpp_rest.processes.election import LOCK
from xmpp_rest.service.monitoring.kept import FOLDER as REPORTS

OF_CLUSTER = ("node.id", "draining")  # of one node: with a copy of its id another one would be taken for it
OF_PROCESSES = frozenset((LOCK, SOCKET, PROCESSES, NODE, *OF_CLUSTER, "generations", "unarchived", REPORTS))
"""Files and folders in the data folder that concern running processes, or this very folder."""
OUTBOX, CALLBACKS = "outbox", "callbacks"
JOURNAL = ".journal"
DATABASE_LOGS = ("-wal", "-shm", "-journal")


class Backup:
    """One backup of the gateway of these settings."""

    def __init__(self, settings: Settings, progress: OnCopied = unsaid) -> None:
        self._settings = settings
        self._folder = folder_of(settings)
        self._driver = settings.storage.url.partition(":")[0]
        self._progress = progress
        self._left_out: list[str] = []

    @property
    def size(self) -> int | None:
        """How many bytes are about to be copied and written, if the storage is one file."""
        path = storage_path(self._settings.storage.url, self._folder)
        return 2 * path.stat().st_size if path is not None and path.is_file() else None

    @property
    def left_out(self) -> list[str]:
        """What is in the data folder and not in the backup: links, devices, names that no backup may have."""
        return self._left_out

    def make(self, target: Path, *, storage: bool = True) -> Manifest:
        """Write the file, which must not exist; `storage`: with the storage. Raises CannotStart, StorageError, OSError."""
        self._require_place(target)
        outbox: dict[Path, JournalCopy] = {}
        callbacks: dict[Path, JournalCopy] = {}
        self._read_journals(OUTBOX, outbox)
        self._read_journals(CALLBACKS, callbacks)
        with _scratch_beside(target) as scratch:
            made = scratch / "backup"
            with open(made, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                with BackupWriter(file, self._progress) as writer:
                    place = self._storage_place() if storage else ""
                    self._add_configuration(writer, place)
                    if storage:
                        self._add_storage(writer, place, scratch)
                    self._add_data_folder(writer, storage_path(self._settings.storage.url, self._folder) if storage else None)
                    self._read_journals(CALLBACKS, callbacks)
                    for path, copy in (*outbox.items(), *callbacks.items()):
                        writer.add_bytes(f"data/{path.relative_to(self._folder).as_posix()}", copy.data())
                    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                    manifest = Manifest(__version__, now, self._settings.gateway.domain, self._driver, place, writer.files)
                    writer.finish(manifest)
                file.flush()
                os.fsync(file.fileno())
            _require_new(target)
            made.rename(target)
        return manifest

    def _require_place(self, target: Path) -> None:
        _require_new(target)
        if target.parent.resolve().is_relative_to(self._folder.resolve()):
            raise CannotStart(Exit.CANTCREAT, f"{target}: is in the data folder, all of which is in each backup; write another place")

    def _read_journals(self, folder: str, copies: dict[Path, JournalCopy]) -> None:
        """Read the journals in a folder of the data folder, as they are now."""
        for path in sorted((self._folder / folder).glob(f"*{JOURNAL}")):
            copies.setdefault(path, JournalCopy(path)).read()

    def _storage_place(self) -> str:
        """The path of the storage in the data folder of the backup."""
        path = storage_path(self._settings.storage.url, self._folder)
        inside = path is not None and path.absolute().is_relative_to(self._folder.absolute()) and path.absolute() != self._folder.absolute()
        if path is not None and inside:
            relative = os.path.relpath(path.absolute(), self._folder.absolute())
            if is_safe(f"data/{relative}"):
                return relative
        return "gateway.sqlite" if self._driver == "sqlite" else "storage"

    def _add_configuration(self, writer: BackupWriter, storage: str) -> None:
        changes = {("server", "data_dir"): "data"}
        if storage:
            changes["storage", "url"] = f"{self._driver}:{storage}"
        made = portable(self._settings.file, changes)
        writer.add_bytes("wsgi.ini", made.text.encode())
        for name, content in made.files.items():
            writer.add_bytes(name, content)

    def _add_storage(self, writer: BackupWriter, place: str, scratch: Path) -> None:
        copied = scratch / "storage"
        copied.mkdir(mode=0o700)
        with closing(open_driver(self._settings.storage.url, self._folder)) as driver:
            try:
                for name, file, size in self._copies(driver, copied):
                    mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                    writer.add(f"data/{place}/{name}" if name else f"data/{place}", file, size, mode)
            except NoCopies as e:
                raise CannotStart(Exit.CONFIG, f"[storage] url = {self._driver}:…: {e}") from e
        shutil.rmtree(copied)

    def _copies(self, driver: Driver, folder: Path) -> Iterator[StorageFile]:
        copies = driver.copies(folder, self._progress)  # most drivers that cannot say here what can
        if self._driver not in FILES:
            raise NoCopies(f"only storages of {', '.join(FILES)} can be restored from a backup; write --without-storage")
        return copies

    def _add_data_folder(self, writer: BackupWriter, storage: Path | None) -> None:
        """Everything in the data folder but the storage and the journals, which are added for themselves."""
        own = {storage, *(storage.with_name(f"{storage.name}{end}") for end in DATABASE_LOGS)} if storage is not None else set()
        for path in _walk(self._folder, own):
            name = f"data/{path.relative_to(self._folder).as_posix()}"
            of_processes = path.relative_to(self._folder).parts[0] in OF_PROCESSES
            if of_processes or name in writer.files or _is_journal(path, self._folder):
                continue
            if not is_safe(name) or not path.is_file() or path.is_symlink():
                self._left_out.append(str(path))
                continue
            try:
                with path.open("rb") as file:
                    found = os.fstat(file.fileno())
                    writer.add(name, file, found.st_size, stat.S_IMODE(found.st_mode))
            except FileNotFoundError:  # removed meanwhile
                continue


def _walk(folder: Path, without: Iterable[Path | None]) -> Iterator[Path]:
    """All files below a folder, but for some files and folders."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if path in without:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, without)
        else:
            yield path


def _is_journal(path: Path, folder: Path) -> bool:
    """Whether this is a journal, or what one is being replaced by."""
    return path.parent in (folder / OUTBOX, folder / CALLBACKS) and path.suffix in (JOURNAL, ".new")


def _require_new(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise CannotStart(Exit.CANTCREAT, f"{target}: is there already; write another name")


@contextmanager
def _scratch_beside(target: Path) -> Iterator[Path]:
    """A folder on the same file system, which is gone in the end."""
    folder = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
