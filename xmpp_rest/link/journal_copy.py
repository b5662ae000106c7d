"""A copy of a journal that another process writes, for a backup."""

from __future__ import annotations

from pathlib import Path

from xmpp_rest.link.journal import JournalEntry, line_of, read_entries


class JournalCopy:
    """What is open in a journal at any of the times at which it is read: an entry that is acknowledged in between stays in the copy."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path
        self._entries: dict[tuple[int, str], JournalEntry] = {}  # by number, which a restart gives again, and text

    def read(self) -> None:
        """Add what is open now. Raises OSError."""
        for number, entry in sorted(read_entries(self.path).items()):
            self._entries.setdefault((number, entry.text), entry)

    def data(self) -> bytes:
        """A journal with these entries, in the order in which they were found."""
        entries = [
            JournalEntry(entry.text, entry.note, entry.request_id, number, is_acknowledged=entry.is_acknowledged)
            for number, entry in enumerate(self._entries.values(), 1)
        ]
        acknowledged = [entry.number for entry in entries if entry.is_acknowledged]
        records = [entry.record() for entry in entries]
        return b"".join(line_of(record) for record in [*records, *([["n", *acknowledged]] if acknowledged else [])])
