"""Outcomes of sent stanzas (decision 0009): accepted, written, confirmed, lost, reflected, delivered, refused."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.outbox import Entry, Label, Progress
from xmpp_rest.logs.events import say
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import RECEIPTS, STANZA_ERRORS
from xmpp_rest.protocol.stanza import condition_in, condition_of
from xmpp_rest.protocol.weight import weight
from xmpp_rest.service.messages.short_refusal import short_refusal
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.link")

_RECEIVED = f"{{{RECEIPTS}}}received"
_RANK = {"accepted": 0, "written": 1, "confirmed": 2, "lost": 2, "reflected": 3, "delivered": 3, "refused": 3}


class _Watch(NamedTuple):
    """Who is told once an outcome has got so far."""

    rank: int
    tell: Callable[[], None]


class RoomShown(NamedTuple):
    """How a room has shown a message: under which nick, and with which id of its own ("": none)."""

    room: str
    nick: str
    stanza_id: str


class Outcome(NamedTuple):
    """The outcome of a stanza: `state`, since when (Unix time), and the error stanza that refused it, or how a room has shown it.

    Stanzas that progress together share one.
    """

    state: str
    since: float
    refusal: Element | None = None
    shown: RoomShown | None = None
    of_room: bool = False
    """Whether a room elsewhere has to show it, so that `confirmed` decides nothing."""


class Outcomes:
    """The latest outcomes, in memory: at most REMEMBERED, the oldest are forgotten first. Safe to be used by several threads.

    Of refusals the latest WHOLE are kept as they came, which may be as large as what was sent; of those that strangers' servers have sent
    WHOLE_SIZE at most. Of the others is kept what tells why.
    """

    REMEMBERED = 50_000
    WHOLE = 1_000
    WHOLE_SIZE = 32 << 20  # bytes of memory

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._known: OrderedDict[Label, Outcome] = OrderedDict()
        self._request_ids: dict[Label, str] = {}  # of those that the link has written
        self._of_rooms: set[Label] = set()  # whose errors the rooms service judges
        self._sent_to: dict[Label, JID] = {}  # of those of sessions: whose errors and receipts count
        self._whole: deque[tuple[Label, int]] = deque()  # of refusals that are kept as they came, with their sizes
        self._whole_size = 0
        self._watched: dict[Label, list[_Watch]] = {}
        self._lock = threading.Lock()

    def all_accepted(self, stanzas: Iterable[tuple[JID, str]]) -> list[Label]:
        """Record that stanzas (sender, id) are accepted. An outcome that is further already is kept.

        Returns the new ones: `forget` these if they are not accepted after all.
        """
        names: dict[JID, str] = {}
        labels = [Label(names.get(sender) or names.setdefault(sender, str(sender.bare)), identifier) for sender, identifier in stanzas]
        new, accepted = [], Outcome("accepted", time.time())
        with self._lock:
            for label in labels:
                if label not in self._known:
                    self._known[label] = accepted
                    new.append(label)
            self._forget_oldest()
        return new

    def of_rooms(self, labels: Sequence[Label]) -> None:
        """Record that messages to rooms are accepted: whether an error ends them is for `bounced` to tell."""
        accepted = Outcome("accepted", time.time(), of_room=True)
        with self._lock:
            self._of_rooms.update(labels)
            self._begin(labels, accepted)

    def of_session(self, sent: Mapping[Label, JID], request_id: str) -> None:
        """Record that stanzas, with their recipients, are accepted for a session, which the request of this id sends.

        Strangers reach a session past the gateway's own checks, so errors and receipts count from the recipient, and from the servers.
        """
        accepted, labels = Outcome("accepted", time.time()), [*sent]
        with self._lock:
            self._of_rooms.difference_update(labels)
            self._sent_to.update(sent)
            if request_id:
                self._request_ids.update((label, request_id) for label in labels)
            self._begin(labels, accepted)

    def _begin(self, labels: Sequence[Label], accepted: Outcome) -> None:
        """Also of a stanza with the id of an earlier one."""
        for label in labels:
            self._known[label] = accepted
            self._known.move_to_end(label)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        while len(self._known) > self.REMEMBERED:
            label, _ = self._known.popitem(last=False)
            self._request_ids.pop(label, None)
            self._sent_to.pop(label, None)
            self._of_rooms.discard(label)

    def held(self, labels: Iterable[Label]) -> None:
        """These messages to rooms are to be written again."""
        accepted = Outcome("accepted", time.time(), of_room=True)
        with self._lock:
            for label in labels:
                before = self._known.get(label)
                if before is not None and 0 < _RANK[before.state] < _RANK["reflected"]:
                    self._known[label] = accepted

    def shown(self, label: Label, shown: RoomShown) -> None:
        """A room has shown this message to who sent it."""
        self._end(label, Outcome("reflected", time.time(), None, shown))

    def forget(self, new: Iterable[Label], earlier: Mapping[Label, Outcome] | None = None) -> None:
        """Forget stanzas that were not accepted after all; `earlier`: what was known before of others with their ids."""
        with self._lock:
            for label in new:
                if earlier and label in self._known and label in earlier:
                    self._known[label] = earlier[label]
                    continue
                self._known.pop(label, None)
                self._request_ids.pop(label, None)
                self._sent_to.pop(label, None)

    def processed(self, sender: JID, identifier: str, refusal: Element | None = None) -> None:
        """Record that a hosted recipient accepted a stanza, or refused it at once."""
        self._decide(Label(str(sender.bare), identifier), "refused" if refusal is not None else "confirmed", refusal)

    def get(self, sender: JID, identifier: str) -> Outcome | None:
        """The outcome of the stanza that `sender` (whatever its resource) sent with this id, if it is remembered."""
        return self._known.get(Label(str(sender.bare), identifier))

    def progress(self, entries: Iterable[Entry], progress: Progress) -> None:
        """Record progress of the link with these entries."""
        named = [(entry.label, entry.request_id) for entry in entries if entry.label is not None]
        if progress is Progress.ACCEPTED:  # by an earlier owner (many-machines §9)
            with self._lock:
                self._begin([label for label, _ in named], Outcome("accepted", time.time()))
            return
        if progress is Progress.WRITTEN:
            with self._lock:
                self._request_ids.update((label, request_id) for label, request_id in named if request_id and label in self._known)
        self.reached([label for label, _ in named], progress.value)

    def reached(self, labels: Sequence[Label], state: str) -> None:
        """Record that these stanzas have got so far: written, confirmed, or lost."""
        outcome = Outcome(state, time.time())
        with self._lock:
            for label in labels:
                self._advance(label, outcome)
            decided = self._decided(labels)
        for tell in decided:
            tell()

    def observe(self, stanza: Element, sender: JID | None, to: JID) -> None:
        """Observe a stanza for a hosted entity, which may be the error, or the receipt, for one that it sent."""
        if stanza.tag == "iq":
            return
        if stanza.get("type") == "error":
            label = Label(str(to.bare), stanza.get("id", ""))
            if label not in self._of_rooms and self._may_tell(label, sender, to):
                self.bounced(label, stanza)
        elif stanza.tag == "message" and (received := stanza.find(_RECEIVED)) is not None:
            label = Label(str(to.bare), received.get("id", ""))
            if self._may_tell(label, sender, to):
                self._decide(label, "delivered", None)

    def _may_tell(self, label: Label, teller: JID | None, sender: JID) -> bool:
        """Whether what `teller` says of the sender's stanza counts."""
        recipient = self._sent_to.get(label)
        if recipient is None or teller is None:
            return True
        return teller.bare in {each for jid in (recipient, sender) for each in (jid.bare, JID("", jid.domain, ""))}

    def bounced(self, label: Label, error: Element) -> None:
        """This error refuses a message."""
        if not self._decide(label, "refused", error):
            return  # nobody's, or it was said already
        why, request_id = error.find("error"), self._request_ids.get(label)
        condition = condition_in(why, STANZA_ERRORS) if why is not None else None
        of_request = {"request_id": request_id} if request_id else {}
        say(log, logging.INFO, "bounced", sender=label.sender, stanza_id=label.id, by=error.get("from"), condition=condition, **of_request)

    def _decide(self, label: Label, state: str, refusal: Element | None) -> bool:
        """Note how it ended; whether it is refused, and that is new."""
        return self._end(label, Outcome(state, time.time(), refusal))

    def _end(self, label: Label, outcome: Outcome) -> bool:
        refusal = outcome.refusal
        with self._lock:
            self._advance(label, outcome)
            known = self._known.get(label)
            counts = known is not None and refusal is not None and known.refusal is refusal
            decided = self._decided((label,))
        if counts and refusal is not None:
            self._counts.came_back(condition_of(refusal).condition)
        for tell in decided:
            tell()
        return counts

    def _advance(self, label: Label, outcome: Outcome) -> None:
        before = self._known.get(label)
        if before is not None and _RANK[outcome.state] > _RANK[before.state]:
            self._known[label] = outcome._replace(of_room=True) if before.of_room else outcome
            if outcome.refusal is not None:
                self._shorten_older(label, weight(outcome.refusal) if label in self._sent_to else 0)

    def _shorten_older(self, latest: Label, size: int) -> None:
        self._whole.append((latest, size))
        self._whole_size += size
        while len(self._whole) > 1 and (len(self._whole) > self.WHOLE or self._whole_size > self.WHOLE_SIZE):
            label, size = self._whole.popleft()
            self._whole_size -= size
            older = self._known.get(label)
            if older is not None and older.refusal is not None:
                self._known[label] = older._replace(refusal=short_refusal(older.refusal))

    def _decided(self, labels: Iterable[Label]) -> list[Callable[[], None]]:
        """The callbacks to call after progress of these."""
        if not self._watched:  # the usual case
            return []
        found: list[Callable[[], None]] = []
        for label in labels:
            if watches := self._watched.get(label):
                rank = self._rank(label)
                found += [watch.tell for watch in watches if watch.rank <= rank]
                self._keep(label, [watch for watch in watches if watch.rank > rank])
        return found

    def _keep(self, label: Label, watches: list[_Watch]) -> None:
        if watches:
            self._watched[label] = watches
        else:
            self._watched.pop(label, None)

    def _rank(self, label: Label) -> int:
        outcome = self._known.get(label)
        return _RANK["refused" if outcome is None else outcome.state]

    def watch(self, sender: JID, identifier: str, tell: Callable[[], None], *, last: bool = False) -> bool:
        """Call `tell` once the server has processed the stanza or refused it, or a room elsewhere has shown it; False if that has come
        to pass already, or the stanza is unknown.

        `last`: only once it is refused, or has been delivered. `tell` is called on the stream's thread, and must be fast.
        """
        label = Label(str(sender.bare), identifier)
        with self._lock:
            watch = _Watch(_RANK["refused" if last or label in self._of_rooms else "confirmed"], tell)
            if self._rank(label) >= watch.rank:
                return False
            self._watched.setdefault(label, []).append(watch)
        return True

    def unwatch(self, sender: JID, identifier: str, tell: Callable[[], None]) -> None:
        """Do not call `tell` any more."""
        label = Label(str(sender.bare), identifier)
        with self._lock:
            self._keep(label, [watch for watch in self._watched.get(label, ()) if watch.tell is not tell])

    def wait(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """Wait until the server has processed the stanza or refused it; the outcome as it is then."""
        decided: OneShot[bool] = OneShot()

        def tell() -> None:
            decided.give(True)

        if self.watch(sender, identifier, tell):
            decided.wait(*wait)
            self.unwatch(sender, identifier, tell)
        return self.get(sender, identifier)
