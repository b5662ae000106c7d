"""What was said through hooks, as programs read it again: kept for `[ntfy] cache` seconds, and told to those who listen (hooks §13.3)."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from drivers import ArchiveItem, ArchiveQuery, Driver, ItemNotFound
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.hooks.delivered import Delivered
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.said import Kind
from xmpp_rest.service.streams.registry import Event, Streams

log = logging.getLogger("xmpp_rest.storage")

STORE = "hook_published"
MOST = 200  # messages of one hook that can be read again
PRUNED_EVERY = 20  # messages of one hook
NOWHERE = "hooks.invalid"  # RFC 6761 §6.4: no account is there
LENGTH = 12
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MEMBERS = ("title", "message", "priority", "tags", "click", "icon", "attach", "filename", "actions", "markdown")
"""What is kept of a message, by the names with which ntfy takes it as JSON; others may hold secrets, such as the topic."""
_JSON = "{urn:xmpp:json:0}json"  # XEP-0335


@dataclass(frozen=True, slots=True)
class PublishedMessage:
    """One message. `when`: Unix time, ahead for one that waits; `members`: title, message, and what ntfy adds to them."""

    id: str
    when: float
    members: Mapping[str, Any] = field(default_factory=dict)


def short_id(*parts: object) -> str:
    """An id of LENGTH letters and digits, always the same for the same parts."""
    number = int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest())
    letters = ""
    for _ in range(LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        letters += ALPHABET[rest]
    return letters


def id_of(delivered: Delivered) -> str:
    """The id of what was delivered, by which it can be read again."""
    if delivered.due is not None:
        return id_of_due(delivered.hook, delivered.due.id)
    return short_id(delivered.hook, delivered.number, delivered.at, *(result.id for result in delivered.results))


def id_of_due(hook: str, due: str) -> str:
    """The id of what waits for its time, by the name of its hook and its own id among what waits."""
    return short_id(hook, due)


def address_of(hook: Hook) -> JID:
    """Under which address the event streams of a hook are counted. Nobody can send there."""
    return JID(f"hook-{hook.number}", NOWHERE, "")


class Published:
    """Keeps what was said through hooks, in the storage, and publishes it to the streams of the hook in all processes."""

    def __init__(self, driver: Driver, domain: str, streams: Streams, cache: Callable[[], float], incidents: Incidents) -> None:
        """`cache`: seconds for which it is kept, as the settings say now."""
        self._driver = driver
        self._domain = domain
        self._streams = streams
        self._cache = cache
        self._incidents = incidents

    def add(self, hook: Hook, payload: Payload, delivered: Delivered) -> None:
        """Keep what has reached one recipient at least, or waits for its time. Raises nothing: the message itself is on its way."""
        if delivered.said.kind is not Kind.MESSAGE or not (delivered.anybody or delivered.due):
            return
        when = delivered.due.at if delivered.due else delivered.at
        message = PublishedMessage(id_of(delivered), when, _members(payload, delivered))
        try:
            self._keep(hook, message)
            if delivered.number % PRUNED_EVERY == 0:
                self._prune(hook)
        except Exception as e:
            self._incidents.report(log, "hook-unread", "a message of the hook %s cannot be read again: %r", hook.name, e)
        if delivered.due is None:
            self._tell(hook, message)

    def sent(self, hook: Hook, due: str) -> None:
        """What waited, and has this id among what waits, has been sent: have those told who listen. Raises nothing, and does not wait."""
        self._streams.pool.submit(partial(self._tell_sent, hook, due))

    def _tell_sent(self, hook: Hook, due: str) -> None:
        try:
            for message in self._find(ArchiveQuery(with_=_key(hook.number), ids=(id_of_due(hook.name, due),))):
                self._tell(hook, message)
        except Exception as e:
            self._incidents.report(log, "hook-unread", "nobody is told of a scheduled message of the hook %s: %r", hook.name, e)

    def withdraw(self, name: str, number: int, due: str) -> None:
        """What the hook of this name and number was to say at a later time will not be sent. Raises StorageError."""
        wanted = ArchiveQuery(with_=_key(number), ids=(id_of_due(name, due),))
        self._driver.archive_delete(None, self._domain, STORE, wanted)

    def kept(self, hook: Hook, *, scheduled: bool = False) -> list[PublishedMessage]:
        """What can be read now, in the order of time; `scheduled`: with what waits. Raises StorageError."""
        now = time.time()
        end = None if scheduled else now
        wanted = ArchiveQuery(start=now - self._cache(), end=end, with_=_key(hook.number), limit=MOST, newest_first=True)
        found = [*self._find(wanted)]
        found.reverse()  # so that those of the same time stay in the order in which they came
        return sorted(found, key=lambda message: message.when)

    def forget(self, hook: Hook) -> None:
        """The hook has been removed. Raises StorageError."""
        self._driver.archive_delete(None, self._domain, STORE, ArchiveQuery(with_=_key(hook.number)))

    def _keep(self, hook: Hook, message: PublishedMessage) -> None:
        if self._cache() > 0:
            text = serialise(_stanza(message))
            self._driver.archive_append(None, self._domain, STORE, text, when=message.when, with_=_key(hook.number), key=message.id)

    def _prune(self, hook: Hook) -> None:
        """Remove what is too old, of all hooks, and what is too much, of this one; what waits for its time does not count."""
        now = time.time()
        self._driver.archive_delete(None, self._domain, STORE, ArchiveQuery(end=now - self._cache()))
        newest = ArchiveQuery(end=now, with_=_key(hook.number), limit=MOST, newest_first=True)
        ids = [item.id for item in self._driver.archive_find(None, self._domain, STORE, newest)]
        if len(ids) == MOST:
            try:
                self._driver.archive_delete(None, self._domain, STORE, ArchiveQuery(end=now, with_=_key(hook.number), before=ids[-1]))
            except ItemNotFound:
                return  # another process has removed it meanwhile

    def _find(self, wanted: ArchiveQuery) -> Iterator[PublishedMessage]:
        for item in self._driver.archive_find(None, self._domain, STORE, wanted):
            if (message := _message(item)) is not None:
                yield message

    def _tell(self, hook: Hook, message: PublishedMessage) -> None:
        self._streams.publish(address_of(hook), Event(message.id, message.when, _stanza(message)))


def _key(number: int) -> str:
    """By what the messages of a hook are found: a hook that is made later under the same name has another number."""
    return f"hook-{number}@{NOWHERE}"


def _members(payload: Payload, delivered: Delivered) -> dict[str, Any]:
    said = delivered.said
    own = payload.value if payload.format == "ntfy" and isinstance(payload.value, dict) else {}
    told = {"title": said.title, "message": said.message or said.text}
    return {name: value for name, value in {**told, **own}.items() if value and name in MEMBERS}


def members_of(stanza: Element) -> dict[str, Any]:
    """The members of a message in the form in which it is kept and published."""
    try:
        members = json.loads(stanza.findtext(_JSON) or "{}")
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _stanza(message: PublishedMessage) -> Element:
    stanza = Element("message")
    SubElement(stanza, _JSON).text = json.dumps(message.members)
    return stanza


def _message(item: ArchiveItem) -> PublishedMessage | None:
    try:
        return PublishedMessage(item.id, item.when, members_of(parse_stored(item.stanza)))
    except BadXML:
        return None
