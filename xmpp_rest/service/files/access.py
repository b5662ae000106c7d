"""Who may upload (files §1)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from xmpp_rest.protocol.jid import JID


class FileAccess:
    """Whom `[files] access` lets in. Callbacks and administrators always are; the gateway's own token is for the API to let in."""

    def __init__(
        self, who: Collection[str], domain: str, callbacks: Collection[JID], exists: Callable[[JID], bool], is_admin: Callable[[JID], bool]
    ) -> None:
        """`who`: as the setting is read. `callbacks`: their addresses. `exists`: whether the hosted `domain` has this account."""
        self._who = frozenset(who)
        self._domain = domain
        self._callbacks = frozenset(callbacks)
        self._exists = exists
        self._is_admin = is_admin

    def configure(self, who: Collection[str]) -> None:
        """Let these in from now on."""
        self._who = frozenset(who)

    def may(self, address: JID) -> bool:
        """Whether this one may upload. Raises StorageError."""
        bare, who = address.bare, self._who
        if bare in self._callbacks or "all" in who or str(bare) in who or bare.domain in who:
            return True
        if bare.domain != self._domain:
            return False
        if not bare.local:  # the gateway itself, and so a caller with its token
            return True
        return self._is_admin(bare) or ("account" in who and self._exists(bare))
