"""Hosted rooms that have an owner of their own: when that changes, who is in is asked for at once (many-machines §11)."""

from __future__ import annotations

from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.rooms.memberships import Memberships


class OwnerChanges:
    """Of the rooms at one domain. An owner that ends without a word takes the occupants with it."""

    def __init__(self, memberships: Memberships, domain: str, remote: Remote) -> None:
        """`remote`: of the owner of these rooms."""
        self._memberships = memberships
        self._domain = domain
        remote.on_role(self._changed)

    def _changed(self, _leads: bool) -> None:
        self._memberships.owner_changed(self._domain)
