"""The parts of sending a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xmpp_rest.config.table import Settings
from xmpp_rest.service.files.fetching import FileFetching
from xmpp_rest.service.files.file_rooms import FileRooms
from xmpp_rest.service.files.foreign_service import ForeignService
from xmpp_rest.service.files.messages import FileMessages
from xmpp_rest.service.files.uploads import Uploads


@dataclass(frozen=True)
class FileSending:
    """Where files go that are sent, the rooms among those who get them, and the messages that tell of them."""

    uploads: Uploads
    rooms: FileRooms
    messages: FileMessages
    fetching: FileFetching
    foreign: ForeignService | None
    """The server's upload service, where the gateway has none of its own."""
    configurable: tuple[Callable[[Settings], None], ...]

    def configure(self, settings: Settings) -> None:
        """Work by these settings from now on."""
        for configure in self.configurable:
            configure(settings)
