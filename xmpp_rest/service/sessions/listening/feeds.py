"""Brings to streams of accounts of other servers, in all processes, what the leader has for them: pages of archives, and that they end."""

from __future__ import annotations

import logging
from typing import Any

from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.streams.fed_stream import EventsPage, FedStream
from xmpp_rest.service.streams.registry import LEADER_CHANGED, Streams
from xmpp_rest.service.streams.stream import Event, StreamEnded

log = logging.getLogger("xmpp_rest.sessions")

PAGE, END = "archive page", "end account streams"  # what is published


class Feeds:
    """Methods are called in the leader, by any thread, and raise nothing."""

    def __init__(self, streams: Streams, remote: Remote, incidents: Incidents) -> None:
        self._streams = streams
        self._remote = remote
        self._incidents = incidents
        remote.on_role(self._leader_changed)
        remote.on_published(PAGE, self._hear_page)
        remote.on_published(END, self._hear_end)

    def bring(self, stream: JID, page: EventsPage | Exception) -> None:
        """Bring a page, or why there is none, to the stream of this full address."""
        try:
            self._bring(stream, reason_of(page) if isinstance(page, Exception) else page)
        except Exception as e:
            self._incidents.report(log, "stream-untold", "a page does not reach the stream %s: %r", stream, e, trace=True)
            self._bring(stream, reason_of(e))

    def _bring(self, stream: JID, page: EventsPage | str) -> None:
        if (mine := self._find(stream)) is not None:
            _give(mine, page)
        else:
            self._remote.publish(PAGE, stream=str(stream), page=page if isinstance(page, str) else _carried(page))

    def end(self, owner: JID, reason: str) -> None:
        """End the streams of an account."""
        try:
            self._hear_end(str(owner), reason)
            self._remote.publish(END, owner=str(owner), reason=reason)
        except Exception as e:
            self._incidents.report(log, "stream-untold", "streams of %s do not hear that they end: %r", owner, e, trace=True)

    def _find(self, stream: JID) -> FedStream | None:
        return next((mine for mine in self._of(stream.bare) if mine.described.jid == stream), None)

    def _hear_page(self, stream: str, page: str | list[Any]) -> None:
        if (mine := self._find(parse_jid(stream))) is not None:
            _give(mine, page if isinstance(page, str) else _read(page))

    def _hear_end(self, owner: str, reason: str) -> None:
        for stream in self._of(parse_jid(owner)):
            stream.end(reason)

    def _leader_changed(self, leads: bool) -> None:
        """The sessions were those of the former leader: streams end also in the process that leads now."""
        if leads:
            for stream in self._streams.all():
                if isinstance(stream, FedStream):
                    stream.end(LEADER_CHANGED, ended_as="stopping")

    def _of(self, owner: JID) -> list[FedStream]:
        return [stream for stream in self._streams.of(owner) if isinstance(stream, FedStream)]


def reason_of(error: Exception) -> str:
    """Why a stream ends, as its reader is told."""
    return str(error) if isinstance(error, StreamEnded | GatewayError) else "the archive could not be read"


def _give(stream: FedStream, page: EventsPage | str) -> None:
    if isinstance(page, str):
        stream.end(page)
    else:
        stream.bring(page)


def _carried(page: EventsPage) -> list[Any]:
    return [[event.to_json() for event in page.events], page.last, page.complete, [event.to_json() for event in page.told]]


def _read(carried: list[Any]) -> EventsPage:
    events, last, complete, told = carried
    return EventsPage([Event.from_json(each) for each in events], last, complete, [Event.from_json(each) for each in told])
