"""Runs the commands of a batch in order, with one JSON object as the result of each line (commands-api §18)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from drivers import StorageError
from xmpp_rest.api.commands import errors
from xmpp_rest.api.commands.arguments import Given
from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.commands.body import read_json
from xmpp_rest.api.commands.groups.messages import message, of_bad_xml
from xmpp_rest.api.commands.path import Target, read_path
from xmpp_rest.api.commands.prepare import CallPreparer, PreparedCall
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.failures import of_storage
from xmpp_rest.api.lines import BatchLine, BodyLimits
from xmpp_rest.auth.rights import Principal
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.stanza import new_ids
from xmpp_rest.service.messages.batch import OutboundMessage, Result, Results
from xmpp_rest.threads.waits import Gone

log = logging.getLogger("xmpp_rest.commands")

Answer = dict[str, Any]
TOGETHER = "send_message"  # lines with it that follow one another share a commit
SHAPE = 'a line is {"command": "COMMAND", "arguments": {…}}'
NOWHERE = Target("", None)


class BatchCaller(NamedTuple):
    """Who sends the batch. `authenticate`: raises CommandFailure once the credentials are no longer good; `gone`: see Gone."""

    address: str
    authenticate: Callable[[], Principal]
    gone: Gone


class LineCall(NamedTuple):
    """What a line asks for, so far as it could be read: `call` is missing where there is an error, `outgoing` but for messages."""

    number: int
    name: str
    target: Target
    given: Given
    principal: Principal | None
    call: PreparedCall | None = None
    outgoing: OutboundMessage | None = None
    error: Exception | None = None


class CallsUnderWay(NamedTuple):
    """Messages that are under way."""

    lines: Sequence[LineCall]
    results: Results


NOTHING = CallsUnderWay((), list)


class CommandBatch:
    """The commands of one request. `version`: of the API, for lines that name none."""

    def __init__(self, services: Services, registry: Registry, caller: BatchCaller, bounds: BodyLimits, version: int | None) -> None:
        self._services = services
        self._registry = registry
        self._address, self._authenticate, self._gone = caller
        self._bounds = bounds
        self._version = version
        self._denied: errors.CommandFailure | None = None
        self._new_id = new_ids().__next__
        self._begin()

    def run(self, groups: Iterable[Sequence[BatchLine]]) -> Iterator[Answer]:
        """Run the commands of all lines; an answer for each, until the client has gone.

        Each line is prepared once the ones before it are done, but for messages: those that follow one another are sent together, and the
        leader sends them while the group after them is prepared.
        """
        sent = NOTHING
        for group in groups:
            if self._gone():
                break
            self._begin()
            for together, run in groupby(map(self._prepare, group), lambda line: line.outgoing is not None):
                messages, (lines, results) = list(run) if together else [], (sent.lines, sent.results())
                sent = self._begin_to_send(messages) if together else NOTHING
                yield from self._tell(lines, results)
                for line in () if together else run:
                    yield self._alone(line)
                    if self._gone():
                        return
        yield from self._tell(sent.lines, sent.results())

    def _begin(self) -> None:
        """Read the settings and the caller's account again: commands may have changed them."""
        self._principal: Principal | None = None
        self._preparer = CallPreparer(self._registry, self._services.gateway.settings)

    def _prepare(self, line: BatchLine) -> LineCall:
        name, target, principal = "", NOWHERE, None
        given: Given = []
        try:
            name, given = self._read(line)
            target = read_path(name.split("/"), self._version) if "/" in name else Target(name, self._version)
            self._preparer.require_known(target.name)
            principal = self._caller()
            call = self._preparer.prepare(target, given, principal)
            outgoing = message(self._new_id, *call.values.values()) if target.name == TOGETHER else None
        except Exception as e:  # is the line's answer
            return LineCall(line.number, name, target, given, principal, error=e)
        parts = self._services.parts
        if outgoing is not None and (outgoing.sender.domain not in parts.router.domains or parts.sending.is_for_room(*outgoing[:3])):
            outgoing = None
        return LineCall(line.number, name, target, given, principal, call, outgoing)

    def _read(self, line: BatchLine) -> tuple[str, Given]:
        """The name and the arguments in a line. Raises CommandFailure."""
        if line.broken:
            raise errors.bad_request(line.broken)
        if line.text is None:
            raise errors.too_long(line.exceeded, getattr(self._bounds, line.exceeded))
        members = dict(read_json(line.text))
        name, arguments = members.pop("command", None), members.pop("arguments", None) or {}
        if not isinstance(name, str) or not name.strip("/"):
            raise errors.no_name(SHAPE)
        if members or not isinstance(arguments, dict):
            raise errors.bad_request(SHAPE)
        return name, list(arguments.items())

    def _caller(self) -> Principal:
        """The caller as of now: commands may have changed the account. Wrong credentials are looked at once."""
        if self._denied is not None:
            raise self._denied.with_traceback(None)  # else it grows with each line
        if self._principal is None:
            try:
                self._principal = self._authenticate()
            except errors.CommandFailure as e:
                self._denied = e
                raise
        return self._principal

    def _alone(self, line: LineCall) -> Answer:
        if line.call is None:
            return self._answer(line, line.error)
        self._begin()
        try:
            return self._answer(line, None, line.call.run(self._services))
        except Exception as e:  # is the line's answer
            return self._answer(line, e)

    def _begin_to_send(self, lines: Sequence[LineCall]) -> CallsUnderWay:
        """Begin to send messages, which wait for the disk together."""
        return CallsUnderWay(lines, self._services.parts.sending.begin_many([line.outgoing for line in lines if line.outgoing is not None]))

    def _tell(self, lines: Sequence[LineCall], results: Sequence[Result]) -> Iterator[Answer]:
        for line, result in zip(lines, results, strict=True):
            error = result if isinstance(result, Exception) else None
            yield self._answer(line, error, line.call.rendered(True) if line.call and error is None else None)

    def _answer(self, line: LineCall, error: Exception | None, value: Any = None) -> Answer:
        """What is said of a line; the audit has it too."""
        failure = None if error is None else _failure(error)
        status = failure.status if failure else 200
        record(line.principal, self._address, str(line.target), line.given, status)
        answer: Answer = {"line": line.number}
        if line.name:
            answer["command"] = line.name
        answer["status"] = status
        if failure is None:
            answer["result"] = value
            return answer
        return answer | {"error": failure.body} | ({"detail": failure.detail} if failure.detail else {})


def _failure(error: Exception) -> errors.CommandFailure:
    """The answer that a call would get for this exception."""
    if isinstance(error, errors.CommandFailure):
        return error
    if isinstance(error, BadXML):
        return of_bad_xml(error)
    if isinstance(error, StorageError):
        error = of_storage(error)
    if not isinstance(error, GatewayError):
        log.error("a command of a batch failed", exc_info=error)
        error = GatewayError("internal")
    return errors.of_service(error)
