"""Journals that turn out later to have kept something, as those of several machines may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from xmpp_rest.link.journal import Journal
from xmpp_rest.link.journals import LateEntry, OnLate


class LateJournals:
    """Those that are opened from now on, by the names of their files without `.journal`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: dict[str, tuple[Journal, OnLate]] = {}
        monkeypatch.setattr(Journal, "on_late", self._on_late)

    @property
    def _on_late(self) -> object:
        opened = self.opened

        def note(journal: Journal, listener: OnLate) -> None:
            opened[Path(journal._path).stem] = journal, listener

        return note

    def tell(self, name: str, texts: Sequence[str]) -> None:
        """These are in the journal, though it was said that they may not be."""
        journal, listener = self.opened[name]
        numbers = journal.append(texts)
        listener([LateEntry(number, text, "") for number, text in zip(numbers, texts, strict=True)])
