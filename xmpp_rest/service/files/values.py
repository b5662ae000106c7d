"""What is known of a file."""

from __future__ import annotations

import time
from typing import NamedTuple

from xmpp_rest.protocol.jid import JID


class NewFile(NamedTuple):
    """A file that is to be stored. `id`: of its URL; `expires`: Unix time, None: never; `owner`: a bare address."""

    id: str
    owner: JID
    name: str
    media_type: str
    expires: float | None


class StoredFile(NamedTuple):
    """A file that is stored, whole. `sha256`: in hex; `created`, `expires`: Unix time, the latter None if it stays."""

    id: str
    owner: JID
    name: str
    media_type: str
    size: int
    sha256: str
    created: float
    expires: float | None

    @property
    def is_over(self) -> bool:
        """Whether its end has come."""
        return self.expires is not None and time.time() >= self.expires


class Slot(NamedTuple):
    """What may be PUT, once. `media_type`: "" if it was not announced; `until`: Unix time."""

    id: str
    owner: JID
    name: str
    size: int
    media_type: str
    until: float

    @property
    def claims(self) -> SlotClaims:
        """What its token says."""
        return SlotClaims(self.id, self.name, self.size, self.media_type, self.until)


class SlotClaims(NamedTuple):
    """What the token of a slot says: all but whose it is, as addresses may be longer than header fields."""

    id: str
    name: str
    size: int
    media_type: str
    until: float

    @property
    def is_over(self) -> bool:
        """Whether its end has come."""
        return time.time() >= self.until
