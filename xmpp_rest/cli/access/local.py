"""The gateway of this machine, by its data folder: a user who may open that needs no password."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.api.lines import BatchLine, BodyLimits, grouped
from xmpp_rest.api.rest.batch import Batch, Patience
from xmpp_rest.auth.caller import Caller, CallerKind
from xmpp_rest.cli.access import BEGINNING, GAP, Answer, Deadline, Happened, Interrupted, is_undecided
from xmpp_rest.cli.access.files import LocalFile, send_in_pieces
from xmpp_rest.cli.file_calls import FileCalls, FileToSend
from xmpp_rest.cli.leader_calls import LeaderCalls
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.jsonmap import Unmappable, decode
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.protocol.strict_json import BadJSON, read_json, write_json
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages, Result, Results
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.streams.stream import Event
from xmpp_rest.threads.waits import Wait, there

BOUNDS = BodyLimits(1 << 23, 1 << 62, 1 << 62)
"""The size of a line in bytes; the gateway bounds the rest."""
POLL = 20.0  # seconds that one call waits for events
CODES = {"account-unknown": Exit.NOINPUT, "streams-full": Exit.TEMPFAIL}
"""Names of errors → exit codes; the others are UNAVAILABLE."""


class GatewayCalls(Protocol):
    """What is called: the leader, or a gateway in this process."""

    def send_many(self, stanzas: OutboundMessages) -> list[Result]: ...
    def ask(self, iq: Element, wait: Wait) -> list[Element]: ...
    def decided(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None: ...
    def figures(self) -> dict[str, Any]: ...
    def last_id(self, account: JID) -> str: ...
    def begin_file(self, file: FileToSend) -> dict[str, Any]: ...
    def add_to_file(self, name: str, piece: str) -> dict[str, Any]: ...
    def send_file(self, name: str, caption: str, seconds: float, wait: Wait) -> dict[str, Any]: ...
    def drop_file(self, name: str) -> None: ...
    def listen(self, account: JID, after: str) -> str: ...
    def events(self, name: str, wait: Wait) -> dict[str, Any]: ...
    def end_listening(self, name: str) -> None: ...


class LeaderAnswers:
    """The calls to a leader. Methods raise GatewayError, ConnectionError."""

    def __init__(self, client: LeaderClient) -> None:
        self._call = client.call

    def send_many(self, stanzas: OutboundMessages) -> list[Result]:
        results: list[Result] = self._call(LeaderCalls.send_many, stanzas=stanzas)
        return results

    def ask(self, iq: Element, wait: Wait) -> list[Element]:
        answers: list[Element] = self._call(LeaderCalls.ask, iq=iq, wait=wait)
        return answers

    def decided(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        outcome: Outcome | None = self._call(Sending.decided, sender=sender, identifier=identifier, wait=wait)
        return outcome

    def figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = self._call(LeaderCalls.figures)
        return figures

    def begin_file(self, file: FileToSend) -> dict[str, Any]:
        reply: dict[str, Any] = self._call(FileCalls.begin_file, file=file)
        return reply

    def add_to_file(self, name: str, piece: str) -> dict[str, Any]:
        reply: dict[str, Any] = self._call(FileCalls.add_to_file, name=name, piece=piece)
        return reply

    def send_file(self, name: str, caption: str, seconds: float, wait: Wait) -> dict[str, Any]:
        reply: dict[str, Any] = self._call(FileCalls.send_file, name=name, caption=caption, seconds=seconds, wait=wait)
        return reply

    def drop_file(self, name: str) -> None:
        self._call(FileCalls.drop_file, name=name)

    def last_id(self, account: JID) -> str:
        last: str = self._call(LeaderCalls.last_id, account=account)
        return last

    def listen(self, account: JID, after: str) -> str:
        name: str = self._call(LeaderCalls.listen, account=account, after=after)
        return name

    def events(self, name: str, wait: Wait) -> dict[str, Any]:
        events: dict[str, Any] = self._call(LeaderCalls.events, name=name, wait=wait)
        return events

    def end_listening(self, name: str) -> None:
        self._call(LeaderCalls.end_listening, name=name)


class OwnCalls(LeaderCalls):
    """The same in this process, on the storage of a gateway that does not run."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._sending = gateway.parts.sending

    def decided(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """What has become of it: there is nobody to wait for."""
        return self._sending.outcome(sender, identifier)


class _BatchSending:
    """What a Batch sends with. The command line names no nick."""

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    def begin_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results:
        results: list[Result]
        try:
            results = self._calls.send_many(OutboundMessages(stanzas))
        except GatewayError as e:
            results = [e] * len(stanzas)
        return partial(list, results)

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        try:
            *collected, answer = self._calls.ask(iq, wait)
        except ConnectionError as e:
            raise GatewayError("unanswered") from e
        return answer, collected


class LocalAccess:
    """The gateway whose settings these are."""

    def __init__(self, calls: GatewayCalls, settings: Settings) -> None:
        self._calls = calls
        self._sender = settings.auth.admins[0]
        self._caller = Caller(JID("", settings.gateway.domain, ""), CallerKind.COMPONENT)  # any address of the domain
        self._seconds = settings.rest.iq_timeout

    def send(self, lines: Sequence[bytes], wait: Deadline) -> list[Answer]:
        patience = Patience(self._seconds, self._seconds, there)
        batch = Batch(_BatchSending(self._calls), self._caller, BOUNDS, patience)
        written = [BatchLine(number, self._with_sender(line)) for number, line in enumerate(lines, 1)]
        try:
            answers = list(batch.send(grouped(written)))
            return [self._decided(answer, line.text or b"", wait) for answer, line in zip(answers, written, strict=True)]
        except ConnectionError as e:
            raise CannotStart(Exit.UNAVAILABLE, str(e)) from e

    def send_file(self, file: LocalFile, wait: Deadline) -> list[Answer]:
        sender = parse_jid(file.sender) if file.sender else self._sender
        announced = FileToSend(sender, [parse_jid(to) for to in file.to], file.kind, file.name, file.size)
        try:
            answers = send_in_pieces(self._calls, announced, file, wait.left)
        except GatewayError as e:
            raise CannotStart(CODES.get(e.name, Exit.UNAVAILABLE), e.text) from e
        except ConnectionError as e:
            raise CannotStart(Exit.UNAVAILABLE, str(e)) from e
        line = write_json({"from": str(sender)})
        return [self._decided(answer, line, wait) for answer in answers]

    def _with_sender(self, line: bytes) -> bytes:
        """The object with a sender, if it has none; what is none is refused later."""
        obj = _object(line)
        return line if obj is None or "from" in obj else write_json({"from": str(self._sender)} | obj)

    def _decided(self, answer: Answer, line: bytes, wait: Deadline) -> Answer:
        if not is_undecided(answer):
            return answer
        try:
            sender = parse_jid(str((_object(line) or {}).get("from")))
            outcome = self._calls.decided(sender, answer["id"], Wait(wait.left))
        except (InvalidJID, GatewayError):  # it has been accepted
            return answer
        if outcome is None:
            return answer
        error = None if outcome.refusal is None else condition_of(outcome.refusal)
        told = {} if error is None else {"error": {name: value for name, value in error._asdict().items() if value}}
        return answer | {"outcome": outcome.state, "of_room": outcome.of_room} | told

    def last_id(self, account: str | None) -> str:
        try:
            return self._calls.last_id(self._owner(account)) or BEGINNING
        except (GatewayError, OSError) as e:
            raise self._failed(e) from e

    def _owner(self, account: str | None) -> JID:
        return self._sender if account is None else parse_jid(account).bare

    def events(self, account: str | None, after: str | None, until: Deadline) -> Iterator[Happened | None]:
        owner = self._owner(account)
        name = self._listen(owner, after or "")
        if name is None:
            name = self._listen(owner, "") or ""
            yield GAP
        yield None
        try:
            yield from self._read(name, until)
        except GeneratorExit:  # enough has been read
            with suppress(GatewayError, OSError):  # else the gateway does so by itself after a while
                self._calls.end_listening(name)
            raise

    def _listen(self, owner: JID, after: str) -> str | None:
        """The name of a new stream; None if there is no event `after`."""
        try:
            return self._calls.listen(owner, after)
        except (GatewayError, OSError) as e:
            if isinstance(e, GatewayError) and e.name == "event-unknown":
                return None
            raise self._failed(e) from e

    @staticmethod
    def _failed(error: GatewayError | OSError) -> Exception:
        if isinstance(error, GatewayError):
            return CannotStart(CODES[error.name], error.text) if error.name in CODES else Interrupted(error.text)
        return Interrupted(str(error))

    def _read(self, name: str, until: Deadline) -> Iterator[Happened | None]:
        while True:
            try:
                told = self._calls.events(name, Wait(min(until.left, POLL)))
            except (GatewayError, OSError) as e:
                raise Interrupted(e.text if isinstance(e, GatewayError) else str(e)) from e
            yield from map(_happened, told["events"])
            if told["ended"]:
                raise Interrupted(told["ended"])
            yield None

    def address(self) -> str:
        return str(self._sender)

    def figures(self) -> dict[str, Any]:
        try:
            return self._calls.figures()
        except ConnectionError as e:
            raise CannotStart(Exit.UNAVAILABLE, str(e)) from e


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        obj = read_json(line)
    except BadJSON:
        return None
    return obj if isinstance(obj, dict) else None


def _happened(values: list[Any]) -> Happened:
    event = Event.from_json(values)
    try:
        return Happened(event.id, event.when, decode(event.stanza))
    except Unmappable as e:  # anybody can send a broken JSON container
        return Happened(event.id, event.when, {"kind": event.stanza.tag, "from": event.stanza.get("from", ""), "unmappable": str(e)})
