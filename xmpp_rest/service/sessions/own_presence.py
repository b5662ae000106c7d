"""The presences that foreign accounts have sent of their own: kept as long as the session, and repeated (accounts-anywhere §7.1)."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import copied
from xmpp_rest.service.sessions.session_observer import SessionObserver

log = logging.getLogger("xmpp_rest.sessions")
_PRIORITY = re.compile(r"[+-]?[0-9]{1,3}", re.ASCII)

OnOwnPresence = Callable[[JID, bool], object]
"""Gets an account (bare), and whether it has a presence of its own now. Must be quick."""


class OwnPresences(SessionObserver):
    """An observer of sessions; in the leader. Safe to be used by several threads."""

    def __init__(self) -> None:
        self._kept: dict[JID, tuple[ClientSession, Element]] = {}  # bare address → the presence, and by which session
        self._lock = threading.Lock()
        self._listeners: list[OnOwnPresence] = []

    def on_change(self, listener: OnOwnPresence) -> None:
        """Call `listener` when an account has sent a presence of its own, or one that ends it. Called while building."""
        self._listeners.append(listener)

    def has(self, account: JID) -> bool:
        """Whether the account has a presence of its own in its session."""
        return self._of(account) is not None

    def priority(self, account: JID) -> int | None:
        """The priority of the account's own presence; None without one."""
        presence = self._of(account)
        return None if presence is None else priority_of(presence)

    def _of(self, account: JID) -> Element | None:
        session, presence = self._kept.get(account.bare, (None, None))
        return None if session is None or session.has_ended else presence

    def kept_of(self, session: ClientSession) -> Element | None:
        """The presence of its own that this session has, even if it has ended."""
        kept_by, presence = self._kept.get(session.account, (None, None))
        return presence if kept_by is session else None

    def restore(self, session: ClientSession, presence: Element) -> None:
        """The account has sent this while another process had its session."""
        with self._lock:
            self._kept[session.account] = session, presence

    def sent(self, stanza: Element, session: ClientSession) -> None:
        """The account has sent this presence to nobody in particular."""
        kind = stanza.get("type")
        if kind not in (None, "unavailable"):
            return
        with self._lock:
            if kind is None:
                self._kept[session.account] = session, copied(stanza, from_=None, id_=None)
            else:
                self._kept.pop(session.account, None)
        for listener in self._listeners:
            listener(session.account, kind is None)

    # what happens to sessions

    def is_worth_resuming(self, session: ClientSession) -> bool:
        return self.has(session.account)

    def rebound(self, session: ClientSession) -> None:
        """The server has a new session, which has none: it goes before all that waits."""
        presence = self._of(session.account)
        if presence is not None:
            try:
                session.write(copied(presence))
            except GatewayError as e:
                log.warning("the presence of %s is not repeated: %s", session.account, e)

    def ended(self, session: ClientSession, reason: str) -> None:
        with self._lock:
            if self._kept.get(session.account, (None,))[0] is session:
                del self._kept[session.account]


def priority_of(presence: Element) -> int:
    """The priority that an available presence says (RFC 6121 §4.7.2.3)."""
    text = (presence.findtext("priority") or "").strip()
    return max(-128, min(127, int(text))) if _PRIORITY.fullmatch(text) else 0
