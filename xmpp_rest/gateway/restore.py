"""Restores a backup: nothing is changed before all of the file was checked, and what is there is renamed, never removed (decision 0045)."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from drivers import StorageError, open_driver
from drivers.derived import outdate
from drivers.lease import NOTE, held
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.backup import DATABASE_LOGS
from xmpp_rest.gateway.backup_file import Manifest, checked, damaged, extract
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import folder_of, runs, storage_path

SPARE = 1 << 20  # bytes that have to be free besides what is written


class Move(NamedTuple):
    """What was restored, and where it goes."""

    made: str  # its path in the backup
    place: Path


def to_folder(file: Path, folder: Path, *, force: bool) -> Manifest:
    """Restore everything to a folder: `folder`/wsgi.ini, `folder`/data. Raises CannotStart, StorageError, OSError."""
    manifest = checked(file)
    _require_no_gateway(folder / "data")
    places = [Move("data", folder / "data"), Move("secrets", folder / "secrets"), Move("wsgi.ini", folder / "wsgi.ini")]
    _require_free([move.place for move in places], force=force)
    is_new = not folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _restore(file, manifest, folder, places, "")
    finally:
        if is_new and _is_empty(folder):  # nothing was restored
            folder.rmdir()
    return manifest


def in_place(file: Path, settings: Settings, *, force: bool) -> Manifest:
    """Restore data folder and storage to where the configuration has them. Raises CannotStart, StorageError, OSError."""
    manifest = checked(file)
    data, storage = folder_of(settings), storage_path(settings.storage.url, folder_of(settings))
    _require_same(manifest, settings)
    _require_no_gateway(data)
    _require_no_lease(settings, data)
    moves = [Move("data", data)]
    inside = ""
    if manifest.storage and storage is not None:
        if storage.absolute().is_relative_to(data.absolute()):
            inside = os.path.relpath(storage.absolute(), data.absolute())
        else:
            moves.insert(0, Move(f"data/{manifest.storage}", storage))
    _require_free([move.place for move in moves], force=force)
    # an empty folder that cannot be replaced, such as the volume of a container, is filled
    fills = data.exists() and _is_empty(data) and (os.path.ismount(data) or not os.access(data.parent, os.W_OK))
    beside = data if fills else data.parent
    beside.mkdir(mode=0o700, parents=True, exist_ok=True)
    _restore(file, manifest, beside, moves, inside)
    return manifest


def _require_same(manifest: Manifest, settings: Settings) -> None:
    """Raise CannotStart unless the backup is of a gateway that is configured alike."""
    driver = settings.storage.url.partition(":")[0]
    remedy = "restore it with --to DIR, with the configuration that is in it"
    if manifest.domain != settings.gateway.domain:
        raise CannotStart(Exit.CONFIG, f"[gateway] domain = {settings.gateway.domain}: the backup is of {manifest.domain}; {remedy}")
    if manifest.storage and manifest.driver != driver:
        raise CannotStart(Exit.CONFIG, f"[storage] url = {driver}:…: the backup has a storage of {manifest.driver}; {remedy}")


def _require_no_gateway(data: Path) -> None:
    if runs(data):
        raise CannotStart(Exit.TEMPFAIL, f"a gateway runs on {data}; stop it first")


def _require_no_lease(settings: Settings, data: Path) -> None:
    """Raise CannotStart if a gateway with another data folder uses the storage."""
    if not data.is_dir():
        return
    with suppress(StorageError), closing(open_driver(settings.storage.url, data)) as driver:  # a damaged storage is why one restores
        if driver.exists():
            driver.read_only()
            for domain, holding in held(driver):
                raise CannotStart(Exit.TEMPFAIL, f"a gateway uses the storage for {domain}: {holding.where}; stop it first")


def _require_free(places: Sequence[Path], *, force: bool) -> None:
    there = [place for place in places if os.path.lexists(place) and not _is_empty(place)]
    if there and not force:
        names = ", ".join(str(place) for place in there)
        raise CannotStart(Exit.CANTCREAT, f"{names}: is there already; --force renames it, --to DIR restores to another folder")


def _is_empty(place: Path) -> bool:
    return place.is_dir() and not any(place.iterdir())


def _restore(file: Path, manifest: Manifest, beside: Path, moves: Sequence[Move], inside: str) -> None:
    """Write the files into a folder `beside` their places, make them ready, and move them there.

    `inside`: the path that the storage is to have in the data folder, "" for the one in the backup.
    """
    needed, free = sum(entry.size for entry in manifest.files.values()), shutil.disk_usage(beside).free
    if needed + SPARE > free:
        raise CannotStart(Exit.CANTCREAT, f"{beside}: {needed} bytes are to be restored, and {free} are free")
    scratch = Path(mkdtemp(prefix=".restore.", dir=beside))
    try:
        extract(file, manifest, scratch)
        (scratch / "data").mkdir(mode=0o700, exist_ok=True)
        if manifest.storage:
            _make_ready(file, manifest, scratch / "data")
        if inside and inside != manifest.storage:
            (scratch / "data" / inside).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (scratch / "data" / manifest.storage).rename(scratch / "data" / inside)
        _give_to_owner(scratch, moves[-1].place)
        os.sync()  # all of it reaches the disk before anything is replaced
        stamp = time.strftime("%Y%m%dT%H%M%S")
        _put_all([(scratch / made, place) for made, place in moves if (scratch / made).exists()], stamp)
        os.sync()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _make_ready(file: Path, manifest: Manifest, data: Path) -> None:
    """Open the storage, take the lease out of it, as the gateway that had it does not use this copy, and have indexes made again."""
    try:
        with closing(open_driver(f"{manifest.driver}:{manifest.storage}", data)) as driver:
            driver.check()
            driver.note(NOTE, lambda _: {})
            if manifest.driver != "sqlite":  # its files are not of one moment, so an index may lack what was written last
                outdate(driver)
    except StorageError as e:
        raise damaged(file, e) from e


def _give_to_owner(scratch: Path, place: Path) -> None:
    """As root, give the files to the user whose folder they will be in the place of."""
    if os.geteuid() != 0:
        return
    owner = (place if place.exists() else place.parent).stat()
    for folder, folders, files in os.walk(scratch):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid, follow_symlinks=False)


class _Renames:
    """Renames that are undone if one of them fails: a restored storage beside an old data folder would be of neither time."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)
        self._undo.append(partial(new.rename, old))

    def move(self, old: Path, new: Path) -> None:
        """Rename, to another file system if need be."""
        shutil.move(old, new)
        self._undo.append(partial(shutil.move, new, old))

    def undo(self) -> None:
        for step in reversed(self._undo):
            step()


def _put_all(moves: Sequence[tuple[Path, Path]], stamp: str) -> None:
    """Move everything to its place, or nothing. Raises OSError."""
    renames = _Renames()
    try:
        for made, place in moves:
            _put(renames, made, place, stamp)
    except OSError:
        renames.undo()
        raise


def _put(renames: _Renames, made: Path, place: Path, stamp: str) -> None:
    """Move to a place; what is there gets another name, and with a database what lies beside it, as its log belongs to it alone."""
    if made.is_relative_to(place):
        for entry in sorted(made.iterdir()):
            renames.rename(entry, place / entry.name)
        return
    before = _new_name(place, f".before-{stamp}")
    if os.path.lexists(place) and not _is_empty(place):
        renames.rename(place, before)
        for end in DATABASE_LOGS:
            beside = place.with_name(f"{place.name}{end}")
            if stat.S_ISREG(made.stat().st_mode) and beside.exists():
                renames.rename(beside, before.with_name(f"{before.name}{end}"))
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    near = place.with_name(f".{place.name}.restored")
    renames.move(made, near)  # a storage elsewhere may be on another file system
    renames.rename(near, place)


def _new_name(place: Path, end: str) -> Path:
    """A name beside a place, with this end, that nothing has: two restores in one second must not replace what the first has kept."""
    names = itertools.chain([end], (f"{end}-{number}" for number in itertools.count(2)))
    return next(found for name in names if not os.path.lexists(found := place.with_name(f"{place.name}{name}")))
