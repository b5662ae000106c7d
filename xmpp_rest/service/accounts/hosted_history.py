"""What hosted accounts have said and heard, from their archives."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive, ArchivedMessage, ArchiveFilter


class HostedHistory:
    """Pages of the archives that the gateway keeps."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def messages(
        self, account: JID, partner: JID | None, end: float | None, limit: int, fits: Callable[[Element], bool]
    ) -> list[ArchivedMessage]:
        """The newest `limit` messages that `fits` agrees to, the oldest first. Raises StorageError."""
        return self._archive.page(account, ArchiveFilter(partner=partner, end=end), limit, newest=True, fits=fits).items
