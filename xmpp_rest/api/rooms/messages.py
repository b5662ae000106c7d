"""`GET /rest/rooms/{room}/messages`: what was said in a room, as far as it is kept (rooms-anywhere §6, §8.1)."""

from __future__ import annotations

from typing import Any

from drivers import ItemNotFound
from xmpp_rest.api.rooms.resource import MembershipResource
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.jsonmap import Unmappable, decode
from xmpp_rest.service.messages.archive import ArchivedMessage

PAGE = (50, 500)  # messages of one answer: by default, at most
_SHOWN = 60  # characters of what is repeated in an answer


class MembershipMessages(MembershipResource):
    """The newest messages, those before an id, or those after one; oldest first."""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def to_json(self) -> dict[str, Any]:
        before, after = self.request.args.get("before"), self.request.args.get("after")
        if before is not None and after is not None:
            self.fail(422, "bad-request", "Write either before or after")
        parts = self.gateway.parts
        try:
            page = self.services.heard.find(self.actor, self.room, self._max, before=before, after=after)
        except ItemNotFound:
            named = f"before={before[:_SHOWN]!r}" if before is not None else f"after={(after or '')[:_SHOWN]!r}"
            self.fail(404, "item-not-found", f"{named}: there is no message of this id", room=str(self.room))
        if not page.items and parts.room_calls.get(self.actor, self.room) is None:
            self.fail(404, "item-not-found", f"There is no membership of {self.actor} in this room", room=str(self.room))
        return {"messages": [_shown(item) for item in page.items], "complete": page.complete}

    @property
    def _max(self) -> int:
        written = self.request.args.get("max", str(PAGE[0]))
        if not (written.isascii() and written.isdigit() and 1 <= int(written[:9]) <= PAGE[1]):
            self.fail(422, "bad-request", f"max={written[:_SHOWN]!r}: write a whole number from 1 to {PAGE[1]}")
        return int(written[:9])


def _shown(item: ArchivedMessage) -> dict[str, Any]:
    """A message as it stands in answers. Anybody can send a broken JSON container; the id still counts."""
    try:
        said = decode(item.stanza)
    except Unmappable as e:
        said = {"error": str(e)}
    return {**said, "archive_id": item.id, "timestamp": write_datetime(item.when)}
