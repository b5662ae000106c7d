"""What the APIs have done for an account, wherever it lives: hosted here, or on another server, by a session there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.files.sending import FileSending
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter, Page
from xmpp_rest.service.messages.batch import OutboundMessage, Result, Results
from xmpp_rest.service.messages.idempotency import Answer, Claim
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.muclight.room import MucLightRoom, NewAffiliation, RoomSummary
from xmpp_rest.service.rooms.said import SpokenResult
from xmpp_rest.service.rooms.verbs import RoomVerbs
from xmpp_rest.service.streams.registry import everything
from xmpp_rest.service.streams.stream import Event, Stream
from xmpp_rest.threads.waits import Gone, Wait, there


class SendingPort(Protocol):
    """Sends stanzas that are addressed and have an id. `Sending` says more of each method, and what it raises."""

    def send(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Send a message or presence. The answer if it was refused at once; None: it was accepted."""

    def send_and_wait(self, stanza: Element, sender: JID, to: JID, wait: Wait) -> tuple[Element | None, str]:
        """As `send`, but wait for the server to refuse or process it; with the state of the outcome."""

    def send_many(self, stanzas: Sequence[OutboundMessage], nick: str = "", wait: Wait | None = None) -> list[Result]:
        """As `send` for each of them, in order; what it would raise is a result. `nick`: under which to come into rooms.

        `wait`: how long a server that has to be waited for may take.
        """

    def begin_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results:
        """As `send_many`, in two steps: what is returned waits for the results. Raises nothing."""

    def post(self, stanza: Element, sender: JID, to: JID) -> None:
        """Send a message; that it was refused is told by the sender's streams, or by its outcome."""

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        """Send an iq and wait for its answer; with the archive results that belong to it."""

    def outcome(self, sender: JID, identifier: str) -> Outcome | None:
        """What became of a stanza that was sent, if it is remembered."""

    def outcome_within(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """The same once it is decided, or when the wait is over. Raises nothing."""

    def require_sendable(self, stanza: Element, to: JID) -> None:
        """Raise GatewayError for a stanza that cannot be sent."""

    def is_for_room(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Whether this is said in a room of another server: `say` tells more of that."""

    def say(self, stanza: Element, sender: JID, to: JID, nick: str = "", wait: Wait | None = None) -> SpokenResult:
        """Say something in a room of another server; `wait`: for the room to show it."""

    def say_many(self, stanzas: Sequence[OutboundMessage], nick: str, wait: Wait) -> list[SpokenResult]:
        """As `say` of each, and all are waited for side by side."""


class AnswersPort(Protocol):
    """The answers that `Idempotency-Key` repeats. `Idempotency` says more of each method; all raise StorageError."""

    def begin(self, owner: JID, key: str, request: str) -> Claim | Answer:
        """Claim the key for a request (its fingerprint), or return its earlier answer. Raises OtherRequest, StillRunning."""

    def finish(self, claim: Claim, answer: Answer) -> None:
        """Store the answer."""

    def release(self, claim: Claim) -> None:
        """Release the key, as nothing was done."""


class HistoryPort(Protocol):
    """Reads what an account has said and heard."""

    def messages(
        self, account: JID, partner: JID | None, end: float | None, limit: int, fits: Callable[[Element], bool]
    ) -> list[ArchivedMessage]:
        """The newest messages with one other, or with anybody, that `fits` agrees to, the oldest first.

        `end`: Unix time in seconds, inclusive; `limit`: from 1 on. Raises StorageError, and GatewayError: no-archive, server-refused …
        """


class ContactsPort(Protocol):
    """The roster of an account (client-api §7). `Contacts` says more of each method. Raises StorageError and GatewayError."""

    def all(self, owner: JID) -> list[Contact]:
        """Every contact, and every address with a request that is known."""

    def get(self, owner: JID, jid: JID) -> Contact | None:
        """The contact, or who has asked; None if there is none."""

    def known(self, jid: JID) -> bool:
        """Whether the address may exist."""

    def add(self, owner: JID, jid: JID) -> None:
        """Make a roster item; one that is there stays as it is."""

    def ask(self, owner: JID, jid: JID, stanza: Element) -> None:
        """Send a presence about subscriptions to a contact."""

    def approve_unseen(self, owner: JID, jid: JID) -> bool:
        """Approve the request of somebody of whom `get` knows nothing; False: there was none."""

    def remove_each(self, owner: JID, jids: Sequence[JID]) -> list[bool]:
        """End both subscriptions with each of these, and remove it; False for what is not a contact."""


class MucLightPort(Protocol):
    """One service of rooms of MUC Light (client-api §3, §4). `MucLight` says more of each method. Raises StorageError and GatewayError."""

    @property
    def domain(self) -> str:
        """Where the rooms are."""

    @property
    def owner_configures(self) -> bool:
        """Whether only owners may change the configuration, and this is known beforehand."""

    def occupied(self, user: JID) -> list[RoomSummary]:
        """The rooms that a user is in."""

    def exists(self, name: str) -> bool:
        """Whether a room of that name is known to exist."""

    def room(self, name: str, user: JID) -> MucLightRoom:
        """A room, for one of its occupants."""

    def create(self, creator: JID, config: Mapping[str, str], others: Sequence[NewAffiliation] = (), *, name: str = "") -> str:
        """Make a room, with an unguessable name unless one is given; its name."""

    def configure(self, name: str, actor: JID, config: Mapping[str, str]) -> None:
        """Change fields of the configuration."""

    def add(self, name: str, actor: JID, user: JID) -> None:
        """The owner adds a member, unless the user is in the room already."""

    def remove(self, name: str, actor: JID, user: JID) -> None:
        """The owner removes an occupant, or an occupant leaves."""

    def send_message(self, name: str, sender: JID, message: Element) -> str:
        """Send a message to all occupants, the sender included; its id."""

    def history(self, name: str, user: JID, wanted: ArchiveFilter, limit: int, fits: Callable[[Element], bool]) -> list[ArchivedMessage]:
        """The newest archived stanzas that are wanted and that `fits` agrees to, oldest first."""


MucLightOf = Callable[[JID], MucLightPort | None]
"""The service of rooms of an account's server; None: there is none. Raises GatewayError where that is not known."""


class ListeningPort(Protocol):
    """Opens event streams. `Streams` says more."""

    def open(
        self,
        owner: JID,
        *,
        after: str | None = None,
        wanted: Callable[[Event], bool] = everything,
        gone: Gone = there,
        peer: tuple[str, int] = ("", 0),
        holds_thread: bool = True,
        api: str = "rest",
        is_session: bool = True,
    ) -> Stream:
        """Open a stream of the events of an account from now on, or after the event with the id `after`."""


class RoomReading(Protocol):
    """What the accounts of one kind have heard in rooms. `Hearing` says more."""

    def find(self, actor: JID, room: JID, limit: int, *, before: str | None = None, after: str | None = None) -> Page:
        """The newest messages of a room, those before an id, or the oldest after one. Raises StorageError, GatewayError."""


@dataclass(frozen=True)
class AccountServices:
    """What is done for the accounts of one kind. An API takes those of its caller: `Authenticated.services`."""

    sending: SendingPort
    answers: AnswersPort
    history: HistoryPort
    contacts: ContactsPort
    muclight: MucLightOf
    rooms_domain: Callable[[JID], str]
    """The domain of those rooms, where it is known; "": it is not."""
    listening: ListeningPort
    room_verbs: RoomVerbs
    """What they do in rooms, beside speaking."""
    heard: RoomReading
    files: FileSending
    """Where their files go."""
