"""By which full address an actor is in rooms: hosted ones by a resource of the gateway's, others by their sessions."""

from __future__ import annotations

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID


class OccupantAddresses:
    """In the leader, which knows the sessions."""

    def __init__(self, router: Router, domain: str, resource: str) -> None:
        """`domain`: of hosted actors; `resource`: by which they are in rooms, but for hooks."""
        self._router = router
        self._domain = domain
        self._resource = resource

    def is_hosted(self, address: JID) -> bool:
        """Whether the actor is one of the gateway's, and not an account of another server."""
        return address.domain == self._domain

    def of(self, actor: JID) -> JID:
        """The address of the managed occupant. Of an account elsewhere without a session: the bare one, which is in no room."""
        if actor.domain == self._domain:
            return JID(actor.local, actor.domain, self._resource)
        try:
            return self._router.accounts.jid(actor) if self._router.accounts.has(actor) else actor.bare
        except GatewayError:  # the session has ended between the two
            return actor.bare

    def hears(self, occupant: JID) -> bool:
        """Whether somebody may listen to what this occupant is told. Those of hooks say, and do not listen."""
        return occupant.domain != self._domain or occupant.resource == self._resource

    def is_kept(self, occupant: JID) -> bool:
        """Whether what this occupant hears is kept in the storage, and its rooms too."""
        return occupant.domain == self._domain and occupant.resource == self._resource

    def realm(self, address: JID) -> str:
        """Whose server answers this one: "" for all that are hosted. What one server says of others counts for its own accounts alone."""
        return "" if address.domain == self._domain else address.domain
