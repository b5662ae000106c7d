"""The ends of accounts and passwords: ends what depends on them, so that a later account of the same name inherits nothing."""

from __future__ import annotations

import logging

from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.gateway.events import Events
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.shared_groups import SharedGroups
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.messages.archive import EVERYTHING, Archive
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.streams.sessions import Sessions

log = logging.getLogger("xmpp_rest.auth")
GONE = "the account has been removed"


class AccountEnds:
    """Ends what others know of an account before and after its stores are removed; and its tokens, if it has another password."""

    def __init__(
        self,
        events: Events,
        tokens: Tokens,
        hooks: Hooks,
        contacts: Contacts,
        groups: SharedGroups,
        sessions: Sessions,
        light: MucLight | None,
        conference: Conference | None,
        archive: Archive,
        files: FileService,
    ) -> None:
        self._tokens = tokens
        self._hooks = hooks
        self._contacts = contacts
        self._groups = groups
        self._sessions = sessions
        self._light = light
        self._conference = conference
        self._archive = archive
        self._files = files
        events.unregistering.subscribe(self._on_unregistering)
        events.unregistered.subscribe(self._on_unregistered)
        events.password_changed.subscribe(self._on_password_changed)

    def _on_unregistering(self, account: JID) -> None:
        """End sessions, tokens, hooks, subscriptions and places in groups and rooms, and remove files."""
        self._sessions.end_all(account, GONE)
        self._tokens.revoke_all(account)
        self._hooks.end_of(account)
        self._contacts.account_removed(account)
        self._groups.account_removed(account)
        if self._light:
            self._light.account_removed(account)
        if self._conference:
            self._conference.account_removed(account)
        self._archive.settle_for_good(account)
        self._files.remove_all(account)

    def _on_unregistered(self, account: JID) -> None:
        """End sessions and tokens, empty the archive and remove files again: a client may have reconnected, and sent something."""
        self._tokens.revoke_all(account)
        self._sessions.end_all(account, GONE)
        self._archive.remove(account, EVERYTHING)
        self._files.remove_all(account)

    def _on_password_changed(self, account: JID) -> None:
        """End what somebody got with the old one."""
        count = self._tokens.revoke_all(account)
        log.info("the password of %s was changed; %d token(s) of it were revoked", account, count)
