"""How do the sessions of an account end that may not come in any more?"""

from __future__ import annotations

import logging

from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID

log = logging.getLogger(__name__)


def end_sessions(services: Services, jid: JID, reason: str) -> None:
    """End all sessions of the account, even if nobody can be told that one is gone.

    Raises StorageError, and GatewayError if no process says which sessions there are.
    """
    for session in services.gateway.sessions.of(jid):
        try:
            services.gateway.sessions.kick([session], reason)
        except GatewayError as e:
            log.warning("nobody was told that %s is gone: %s", session.jid, e)
