"""Carries passwords, and the key of proofs, from the process that was asked to the leader (many-machines §9)."""

from __future__ import annotations

import logging

from drivers import StorageError
from xmpp_rest.auth.sealing import BadSeal, Seal
from xmpp_rest.errors import GatewayError, storage_failed
from xmpp_rest.incidents import Incidents

log = logging.getLogger("xmpp_rest.sessions")


class PasswordCarriage:
    """Both methods raise GatewayError: storage-failed; `taken_out` also link-down."""

    def __init__(self, seal: Seal, incidents: Incidents) -> None:
        self._seal = seal
        self._incidents = incidents

    def put_in(self, text: str, purpose: str) -> str:
        """The text as a call may carry it; `purpose`: the account that it lets in, say."""
        try:
            return self._seal.close(text, purpose)
        except StorageError as e:
            raise storage_failed(e, "The storage failed; nobody was asked") from e

    def taken_out(self, sealed: str, purpose: str) -> str:
        """The text of a call, which was put in for the same purpose."""
        try:
            return self._seal.open(sealed, purpose)
        except StorageError as e:
            raise storage_failed(e, "The storage failed; nobody was asked") from e
        except BadSeal:
            text = "a password from another node cannot be read: [link] secret must be the same on all nodes"
            self._incidents.report(log, "sealed-otherwise", text)
            raise GatewayError("link-down", "The nodes of this gateway do not understand each other; the log says why") from None
