"""Indexes of files of items, which are brought up to date by who reads them.

An index has the number (inode) of its file, and after it was brought up to date the file's time of change. If both are right, it is used as
it is. If the file has only become longer, as by appending, the new items are added. Otherwise its rows are compared with the file, and made
again from the first one that is wrong. A file that is small, or whose index cannot be written, is read instead.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from drivers import StorageError
from drivers.files.format import Format, UnreadableFile
from drivers.files.indexfile import BLOCK, IndexFile, boot
from drivers.files.indexrows import BEFORE_ALL, HEAD, PLACE, IndexRow, NewRows, end_of, heads, is_right, places
from drivers.files.locking import Locks
from drivers.names import Key

log = logging.getLogger("xmpp_rest.storage")
FOLDER = ".index"  # no encoded host begins with a dot
SMALL = 2**14
"""Bytes of a file that is read as a whole instead of having an index."""
COMPARED = 256  # rows that are compared with the file at once
LAST = 16
"""Rows that are compared if a file has only grown. One would be right by chance in 65,536 cases."""
KINDS = {HEAD.size: "heads", PLACE.size: "places"}


class IndexRows:
    """The rows of all items of a file, as it was when they were asked for."""

    def __init__(
        self, width: int, file: IndexFile | None, more: bytes = b"", wrong: Callable[[], None] = lambda: None, stop: int | None = None
    ) -> None:
        """`more`: rows that are not in the index. `wrong` is to be called when a row is not right: then the index is made again.

        `stop`: only so many rows of the index.
        """
        self.wrong = wrong
        self.file = file
        self._width = width
        self._kept = (file.count if stop is None else stop) if file else 0
        self._more = more
        self.count = self._kept + len(more) // width

    def read(self, start: int, stop: int) -> bytes:
        """The rows from one up to, not including, another."""
        found = self.file.read(start, min(stop, self._kept)) if self.file else b""
        if stop > self._kept:
            found += self._more[max(0, start - self._kept) * self._width : (stop - self._kept) * self._width]
        return found

    def ends(self, start: int, stop: int) -> list[int]:
        """The first words of the rows from one up to another, after the end of the item before them."""
        words = memoryview(self.read(max(0, start - 1), stop)).cast("Q")[:: self._width // 8].tolist()
        return [0, *words] if start == 0 else [end_of(words[0]), *words[1:]]

    def byte(self, number: int) -> int:
        """Where the item of a row begins."""
        return end_of(self.ends(number, number)[0])

    def row(self, number: int) -> IndexRow:
        """One row of an archive; number -1 is before all of them."""
        return IndexRow(*HEAD.unpack(self.read(number, number + 1))) if number >= 0 else BEFORE_ALL

    def close(self) -> None:
        """Close the index."""
        if self.file:
            self.file.close()
            self.file = None


class _Replaced(Exception):
    """The file that is open is not the one with its name any more."""


class Indexes:
    """The indexes of a data folder."""

    def __init__(self, root: Path, form: Format, locks: Locks) -> None:
        self._root = root
        self._format = form
        self._locks = locks
        self.may_write = True

    def path_of(self, path: Path, width: int) -> Path:
        """The index of a file."""
        relative = path.relative_to(self._root)
        return self._root / FOLDER / relative.with_name(f"{relative.name}.{KINDS[width]}")

    def forget(self, path: Path) -> None:
        """Remove the indexes of a file."""
        for width in KINDS:
            with suppress(OSError):
                self.path_of(path, width).unlink()

    @contextmanager
    def rows(self, path: Path, descriptor: int | None, width: int) -> Iterator[IndexRows]:
        """The rows of an open file. Raises UnreadableFile."""
        rows = self.opened(path, descriptor, width)
        try:
            yield rows
        finally:
            rows.close()

    def opened(self, path: Path, descriptor: int | None, width: int) -> IndexRows:
        """As `rows`; the caller closes them."""
        if descriptor is None:
            return IndexRows(width, None)
        if not self.may_write or os.fstat(descriptor).st_size < SMALL:
            return self._read(descriptor, IndexRows(width, None), width)
        try:
            file = IndexFile.opened(self.path_of(path, width), width)
            if file and _is_current(file, descriptor):
                return IndexRows(width, file, wrong=partial(self.forget, path))
            if file:
                file.close()
            with self._locks.indexing(self._key(path, width)):
                return self._brought_up(path, descriptor, width)
        except UnreadableFile:
            raise
        except (OSError, StorageError, _Replaced) as e:
            log.debug("%s: is read without its index: %r", path, e)
            return self._read(descriptor, IndexRows(width, None), width)

    def _key(self, path: Path, width: int) -> Key:
        return Key(str(path.relative_to(self._root)), KINDS[width], "")

    def _read(self, descriptor: int, rows: IndexRows, width: int) -> IndexRows:
        """These rows, and those that are not in the index, from the file."""
        more = b"".join(batch.rows for batch in self._made(descriptor, rows, width))
        return IndexRows(width, rows.file, more)

    def _made(self, descriptor: int, rows: IndexRows, width: int) -> Iterator[NewRows]:
        """Rows of the items behind these ones."""
        start = _end(rows)
        if width == PLACE.size:
            return places(descriptor, self._format, start)
        return heads(descriptor, self._format, start, rows.row(rows.count - 1), rows.count)

    def _brought_up(self, path: Path, descriptor: int, width: int) -> IndexRows:
        """The rows of an open file, whose index is made right before. The caller holds the lock."""
        name = self.path_of(path, width)
        if not os.path.samestat(path.stat(), os.fstat(descriptor)):
            raise _Replaced
        file = self._right(name, descriptor, width)
        try:
            more = b""
            for batch in self._made(descriptor, IndexRows(width, file), width):
                file.append(batch.rows[: batch.lasting * width])
                more = batch.rows[batch.lasting * width :]
            note_time(file, descriptor)
            return IndexRows(width, file, more, partial(self.forget, path))
        except BaseException:
            file.close()
            raise

    def _right(self, name: Path, descriptor: int, width: int) -> IndexFile:
        """The index with as many rows as are right."""
        inode = os.fstat(descriptor).st_ino
        file = IndexFile.opened(name, width)
        if file is None:
            return IndexFile.created(name, width, inode)
        try:
            good = self._right_after_start(file, descriptor, _right_rows(file, descriptor))
            if good == file.count:
                if (file.inode, file.boot) != (inode, boot()):
                    file.sign(inode)
                return file
            scratch = name.with_name(f"{name.name}.new")
            new = IndexFile.created(scratch, width, inode)
        except BaseException:
            file.close()
            raise
        try:
            log.info("%s: made again from item %d on, as the file has changed", name, good + 1)
            for start in range(0, good, BLOCK):
                new.append(file.read(start, min(start + BLOCK, good)))
            os.replace(scratch, name)
        except BaseException:
            new.close()
            raise
        finally:
            file.close()
        return new

    def _right_after_start(self, file: IndexFile, descriptor: int, good: int) -> int:
        """How many of the first `good` rows are right, if the machine was started again meanwhile.

        After a power cut a page of what was not synced may be missing, and so the end of a row whose beginning is on the page before.
        """
        start = file.sealed * BLOCK
        if file.boot == boot() or file.width == PLACE.size or good <= start:
            return good
        for batch in self._made(descriptor, IndexRows(file.width, file, stop=start), file.width):
            there, width = file.read(start, good), file.width
            for made in range(0, min(len(batch.rows), len(there)), width):
                if batch.rows[made : made + width] != there[made : made + width]:
                    return start
                start += 1
            if start == good:
                break
        return start

    def put(self, path: Path, new: IndexFile, scratch: Path) -> None:
        """Put a new index in the place of the one that a file has; the caller has just replaced the file, and holds its lock."""
        with self._locks.indexing(self._key(path, new.width)):
            os.replace(scratch, self.path_of(path, new.width))


def _is_current(file: IndexFile, descriptor: int) -> bool:
    """Whether nobody has changed a file since its index was brought up to date."""
    now = os.fstat(descriptor)
    if (file.inode, file.boot) != (now.st_ino, boot()) or os.fstat(file.descriptor).st_mtime_ns != now.st_mtime_ns:
        return False
    return _end(IndexRows(file.width, file)) == now.st_size


def note_time(file: IndexFile, descriptor: int) -> None:
    """Give an index that has all of a file the file's time of change."""
    now = os.fstat(descriptor)
    if _end(IndexRows(file.width, file)) == now.st_size:
        os.utime(file.descriptor, ns=(now.st_mtime_ns, now.st_mtime_ns))


def _end(rows: IndexRows) -> int:
    return rows.byte(rows.count)


def _right_rows(file: IndexFile, descriptor: int) -> int:
    """How many rows of an index, from the first one on, are right."""
    now = os.fstat(descriptor)
    if file.inode == now.st_ino:
        if file.boot != boot():
            known = file.sealed * BLOCK  # those behind may be missing after a power cut
        else:
            known = file.count if _end(IndexRows(file.width, file)) < now.st_size else 0  # only appended to
        # if it was changed in place, items that were elsewhere are there now
        start = max(0, known - LAST)
        good = _compared(file, descriptor, start)
        if good >= known > 0:
            return good
    return _compared(file, descriptor, 0)


def _compared(file: IndexFile, descriptor: int, start: int) -> int:
    """The first row from this one on that is not right; the number of rows if all are."""
    rows = IndexRows(file.width, file)
    while start < file.count:
        stop = min(start + COMPARED, file.count)
        before, *words = rows.ends(start, stop)
        data = memoryview(os.pread(descriptor, max(0, end_of(words[-1]) - before), before))
        for number, word in enumerate(words, start):
            end = end_of(word)
            item, data = data[: end - before], data[max(0, end - before) :]
            if end <= before or len(item) != end - before or not is_right(word, item):
                return number
            before = end
        start = stop
    return file.count
