"""Builds what sends files. Starts nothing."""

from __future__ import annotations

from xmpp_rest.config.table import Settings
from xmpp_rest.service.files.file_rooms import FileRooms
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.messages import FileMessages
from xmpp_rest.service.files.sending import FileSending
from xmpp_rest.service.files.uploads import OwnUploads
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.waits import Waits


def build_file_sending(settings: Settings, files: FileService, sending: Sending, waits: Waits) -> FileSending:
    """The parts of one process."""
    gateway = settings.gateway
    room_domains = frozenset(domain for domain in (gateway.rooms_domain, gateway.conference_domain) if domain)
    rooms = FileRooms(frozenset(gateway.domains), room_domains, None)
    return FileSending(OwnUploads(files), rooms, FileMessages(sending, waits))
