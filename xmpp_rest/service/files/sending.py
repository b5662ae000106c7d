"""The parts of sending a file."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.service.files.file_rooms import FileRooms
from xmpp_rest.service.files.messages import FileMessages
from xmpp_rest.service.files.uploads import Uploads


@dataclass(frozen=True)
class FileSending:
    """Where files go that are sent, the rooms among those who get them, and the messages that tell of them."""

    uploads: Uploads
    rooms: FileRooms
    messages: FileMessages
