"""Builds what sends files. Starts nothing."""

from __future__ import annotations

from pathlib import Path

from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.wiring_rooms import RoomParts
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.ports import SendingPort
from xmpp_rest.service.files.fetching import FileFetching
from xmpp_rest.service.files.file_rooms import FileRooms
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.foreign import ForeignUploads
from xmpp_rest.service.files.foreign_service import ForeignService
from xmpp_rest.service.files.messages import FileMessages
from xmpp_rest.service.files.room_answers import RoomAnswers
from xmpp_rest.service.files.sending import FileSending
from xmpp_rest.service.files.session_services import SessionServices
from xmpp_rest.service.files.session_uploads import MOST, SessionUploads
from xmpp_rest.service.files.uploads import OwnUploads
from xmpp_rest.threads.waits import Waits


def build_file_sending(
    settings: Settings, data_dir: Path, files: FileService, rooms: RoomParts, router: Router, sending: SendingPort,
    sending_elsewhere: SendingPort, waits: Waits, remote: Remote,
) -> tuple[FileSending, FileSending]:  # fmt: skip
    """The parts of one process, for hosted accounts and for those of other servers."""
    gateway, folder = settings.gateway, data_dir / settings.files.folder
    room_domains = frozenset(domain for domain in (gateway.rooms_domain, gateway.conference_domain) if domain)
    answers = RoomAnswers(rooms.memberships, rooms.discovery, router, settings.rooms_anywhere, remote)
    has_link = settings.link.kind == "component"
    file_rooms = FileRooms(frozenset(gateway.domains), room_domains, answers if has_link else None)
    fetching = FileFetching(settings.files)
    service = ForeignService(router, gateway.domain, settings.files.service, remote)
    foreign = None if settings.files.domain else ForeignUploads(settings.files, folder, service, sending)
    hosted = FileSending(
        foreign or OwnUploads(files), file_rooms, FileMessages(sending, rooms.speaking, waits), fetching,
        None if foreign is None else service,
        (
            lambda new: fetching.configure(new.files),
            lambda new: answers.configure(new.rooms_anywhere),
            *(() if foreign is None else (lambda new: foreign.configure(new.files),)),
        ),
    )  # fmt: skip
    services = SessionServices(router, LoginDomains(settings.logins, settings.domains), remote)
    uploads = ForeignUploads(settings.files, folder, services, sending_elsewhere, MOST)
    elsewhere = FileSending(
        SessionUploads(uploads), FileRooms(frozenset(), room_domains, answers), FileMessages(sending_elsewhere, rooms.speaking, waits),
        fetching, None,
        (
            lambda new: services.configure(LoginDomains(new.logins, new.domains)),
            lambda new: uploads.configure(new.files),
        ),
    )  # fmt: skip
    return hosted, elsewhere
