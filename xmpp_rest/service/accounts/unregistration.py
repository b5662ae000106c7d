"""Unregistration: ends what depends on an account, so that a later account of its name inherits nothing."""

from __future__ import annotations

from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.shared_groups import SharedGroups
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.streams.sessions import Sessions

GONE = "the account has been removed"


class Leaving:
    """Ends what other parts know of an account, `before` and `after` its stores are removed. Both raise StorageError."""

    def __init__(
        self,
        tokens: Tokens,
        contacts: Contacts,
        groups: SharedGroups,
        sessions: Sessions,
        light: MucLight | None,
        conference: Conference | None,
    ) -> None:
        self._tokens = tokens
        self._contacts = contacts
        self._groups = groups
        self._sessions = sessions
        self._light = light
        self._conference = conference

    def before(self, account: JID) -> None:
        """End sessions, tokens, subscriptions and places in groups and rooms."""
        self._sessions.end_all(account, GONE)
        self._tokens.revoke_all(account)
        self._contacts.remove_all(account)
        self._groups.forget(account)
        if self._light:
            self._light.leave_all(account)
        if self._conference:
            self._conference.forget_user(str(account))

    def after(self, account: JID) -> None:
        """End sessions and tokens again: a client may have reconnected in between."""
        self._tokens.revoke_all(account)
        self._sessions.end_all(account, GONE)
