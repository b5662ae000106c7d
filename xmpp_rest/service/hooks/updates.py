"""Says again what has changed: corrects the message of a matter, or replies to it (hooks §11, XEP-0308, XEP-0461).

A message is corrected as long as it is the last that the address has said to the target, by whatever API: else nobody would see it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.spoken import Spoken
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import CORRECT, FALLBACK, REPLY, STANZA_ID
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.files.shared_file import payload_of
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.matters import LINE, Matter, Matters
from xmpp_rest.service.hooks.message import CORRECTED, REPLIED, SENT, HookMessage, HookRecipient
from xmpp_rest.service.messages.outcomes import Outcomes

log = logging.getLogger("xmpp_rest.hooks")

MAX_STATE = 64  # characters of a state; a longer one is compared by its hash
_STANZA_ID = f"{{{STANZA_ID}}}stanza-id"


class Wording(NamedTuple):
    """How a message is worded: its children, and what it is then said to be. `matter`: to be kept once it is sent; None: of none."""

    payload: list[Element]
    how: str = SENT
    matter: Matter | None = None


class Updates:
    """Words the messages of hooks, and keeps what the next ones need. In the leader; its methods raise nothing."""

    def __init__(
        self,
        matters: Matters,
        spoken: Spoken,
        outcomes: Outcomes,
        removed: Signal[Hook],
        remote: Remote,
        incidents: Incidents,
    ) -> None:
        """`removed` tells hooks that are no longer there, in the leader."""
        self._matters = matters
        self._spoken = spoken
        self._outcomes = outcomes
        self._remote = remote
        self._incidents = incidents
        self._last: dict[tuple[str, str], str] = {}  # sender and target, both bare → id of the last message
        self._hooks: dict[tuple[str, str], dict[str, str]] = {}  # the same → hook → the id that is kept, if it is one of its matters
        self._sending: dict[tuple[str, str], tuple[str, str]] = {}  # the same → the hook that speaks now, and the id of its message
        self._lock = threading.Lock()
        removed.subscribe(self._removed)
        remote.on_role(self._take_role)

    def word(self, message: HookMessage, recipient: HookRecipient, author: str) -> Wording:
        """How this is said; `author`: as whom."""
        if message.file is not None:
            return Wording([*payload_of(message.file)])
        if not message.key:
            return Wording([child("body", message.text)])
        pair = str(message.speaks_as), str(recipient.jid.bare)
        self._watch(message.hook, message.speaks_as, recipient.jid)
        with self._lock:
            self._sending[pair] = message.hook, recipient.id
        found = self._known(message, recipient)
        state, identifier = _short(message.state), recipient.id
        if found is None:
            line = message.text.partition("\n")[0][:LINE]
            matter = Matter(identifier, identifier, author, pair[0], line, state, message.ends)
            return Wording([child("body", message.text)], SENT, matter)
        matter = found._replace(state=state, ended=message.ends)
        is_last = self._last.get(pair, found.last) == found.last
        if state != found.state and is_last:
            payload = [child("body", message.text), child(f"{{{CORRECT}}}replace", id=found.first)]
            return Wording(payload, CORRECTED, matter._replace(last=identifier))
        return Wording(_reply(found, message.text), REPLIED, matter)

    def _known(self, message: HookMessage, recipient: HookRecipient) -> Matter | None:
        """The matter, if it goes on."""
        try:
            found = self._matters.find(message.hook, message.key, recipient.jid)
        except StorageError as e:  # it is said once more, rather than not at all
            self._incidents.report(log, "hook-matter", "what the hook %s has said before is not known: %r", message.hook, e)
            return None
        if found is None or found.ended or found.sender != str(message.speaks_as):
            return None
        outcome = self._outcomes.get(message.speaks_as, found.first)
        return None if outcome is not None and outcome.refusal is not None else found

    def sent(self, message: HookMessage, recipient: HookRecipient, wording: Wording, shown: Element | None) -> None:
        """It was sent; `shown`: as the room has shown it already. The next message to this recipient waits until this returns."""
        matter, pair = wording.matter, (str(message.speaks_as), str(recipient.jid.bare))
        if matter is None:
            return
        if matter.first == recipient.id:
            matter = matter._replace(stanza_id=stanza_id(shown, recipient.jid))
        with self._lock:
            self._sending.pop(pair, None)
            self._hooks.setdefault(pair, {})[message.hook] = recipient.id
        try:
            self._matters.keep(message.hook, message.key, recipient.jid, message.speaks_as, matter, recipient.id)
        except StorageError as e:  # it was sent
            self._incidents.report(log, "hook-matter", "what the hook %s has said is not kept: %r", message.hook, e)

    def shown(self, message: HookMessage, recipient: HookRecipient, shown: Element) -> None:
        """The room has shown it after that."""
        identifier = stanza_id(shown, recipient.jid)
        if message.key and identifier:
            self._remote.pool.submit(partial(self._name, message, recipient, identifier))

    def _name(self, message: HookMessage, recipient: HookRecipient, identifier: str) -> None:
        try:
            self._matters.name_first(message.hook, message.key, recipient.jid, recipient.id, identifier)
        except StorageError as e:
            self._incidents.report(log, "hook-matter", "what a room calls a message of the hook %s is not kept: %r", message.hook, e)

    # -- what else is said to the targets

    def _watch(self, hook: str, sender: JID, target: JID) -> None:
        with self._lock:
            self._hooks.setdefault((str(sender.bare), str(target.bare)), {}).setdefault(hook, "")
        self._spoken.watch(sender, target, self._said)

    def _said(self, sender: str, to: str, identifier: str) -> None:
        """Somebody has said this as the address of hooks: of those that had spoken last, it is noted that they have not any more."""
        pair = sender, to
        with self._lock:
            self._last[pair] = identifier
            hooks = self._hooks.get(pair, {})
            late = [hook for hook, kept in hooks.items() if kept and self._sending.get(pair) != (hook, identifier)]
            hooks.update(dict.fromkeys(late, ""))
        if late:
            self._remote.pool.submit(partial(self._note, late, sender, to, identifier))

    def _note(self, hooks: Sequence[str], sender: str, to: str, identifier: str) -> None:
        for hook in hooks:
            with self._lock:
                is_last = self._last.get((sender, to)) == identifier
            try:
                if is_last:
                    self._matters.say(hook, parse_jid(to), parse_jid(sender), identifier)
            except StorageError as e:
                self._incidents.report(log, "hook-matter", "what %s has said is not kept: %r", sender, e)

    def _take_role(self, leads: bool) -> None:
        if leads:
            self._remote.pool.submit(self._restore)

    def _restore(self) -> None:
        """Go on with what an earlier leader has known."""
        try:
            for hook in self._matters.hooks():
                said = self._matters.last_said(hook)
                for target, identifier in said.ids.items() if said is not None else ():
                    self._restore_one(hook, said.sender, target, identifier)  # type: ignore[union-attr]  # there are ids
        except Exception as e:
            self._incidents.report(log, "hook-matter", "what hooks have said before is not known: %r", e)

    def _restore_one(self, hook: str, sender: JID, target: str, identifier: str) -> None:
        try:
            to = parse_jid(target)
        except InvalidJID:  # another program has written it
            return
        pair = str(sender.bare), str(to.bare)
        self._watch(hook, sender, to)
        with self._lock:
            if pair not in self._last:
                self._last[pair] = identifier
                self._hooks[pair][hook] = identifier

    def _removed(self, hook: Hook) -> None:
        with self._lock:
            for pair in [pair for pair, hooks in self._hooks.items() if hook.name in hooks]:
                self._forget(pair, hook.name)
        self._remote.pool.submit(partial(self._forget_stored, hook.name))

    def _forget(self, pair: tuple[str, str], hook: str) -> None:
        hooks = self._hooks[pair]
        del hooks[hook]
        if not hooks:
            del self._hooks[pair]
            self._last.pop(pair, None)
            self._sending.pop(pair, None)
            self._spoken.unwatch(*map(parse_jid, pair))

    def _forget_stored(self, hook: str) -> None:
        try:
            self._matters.forget(hook)
        except StorageError as e:
            self._incidents.report(log, "hook-matter", "what the hook %s has said is still kept: %r", hook, e)


def stanza_id(shown: Element | None, room: JID) -> str:
    """The id that the room has given to a message; "" without one."""
    found = () if shown is None else shown.iterfind(_STANZA_ID)
    return next((element.get("id", "") for element in found if element.get("by") == str(room)), "")


def _reply(matter: Matter, text: str) -> list[Element]:
    quotation = f"> {matter.line}\n"
    reply = child(f"{{{REPLY}}}reply", to=matter.author, id=matter.stanza_id or matter.first)
    fallback = child(f"{{{FALLBACK}}}body", start="0", end=str(len(quotation)))
    return [child("body", quotation + text), reply, make(f"{{{FALLBACK}}}fallback", fallback, for_=REPLY)]


def _short(state: str) -> str:
    return state if len(state) <= MAX_STATE else hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()
