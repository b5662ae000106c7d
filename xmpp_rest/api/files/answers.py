"""The answer to `POST /rest/files` (files §2.4), and files as they stand in answers."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.rest.errors import RestFailure
from xmpp_rest.api.rest.refused import failure_for
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.messages import FileResult
from xmpp_rest.service.files.uploads import Offered
from xmpp_rest.service.files.values import StoredFile
from xmpp_rest.service.rooms.said import REFLECTED, SpokenResult
from xmpp_rest.service.rooms.stable_id import stable_id

PRIVATE = {"Cache-Control": "no-store"}
NOT_SHOWN = "The room did not show the message in time; ask /rest/outcome/{id}. It may still be shown"
"""Where a room was waited for."""


def described(file: Offered) -> dict[str, Any]:
    """A file that was just sent."""
    expires = None if file.expires is None else write_datetime(int(file.expires))
    named = {"url": file.url, "id": file.id, "name": file.name, "size": file.size, "media_type": file.media_type}
    return named | {"sha-256": file.sha256, "expires": expires}


def listed(files: FileService, file: StoredFile) -> dict[str, Any]:
    """One of one's own files."""
    offered = Offered(files.url_of(file.id, file.name), file.name, file.size, file.media_type, file.sha256, file.id, file.expires)
    members = described(offered)
    expires = members.pop("expires")
    return {"id": members.pop("id"), **members, "created": write_datetime(int(file.created)), "expires": expires}


def told(result: FileResult) -> dict[str, Any]:
    """What became of one recipient."""
    to, kind, _ = result.recipient
    caption = {"caption_id": result.caption_id} if result.caption_id else {}
    return {"to": str(to), "type": kind, "id": result.id} | caption | _outcome(result)


def _outcome(result: FileResult) -> dict[str, Any]:
    if isinstance(result.result, Exception):
        return _failed(failure_for(result.result))
    if result.result is not None:
        return {"outcome": "refused", "error": _error(condition_of(result.result))}
    if result.spoken is not None:
        return _spoken(result, result.spoken)
    outcome = result.outcome
    if outcome is not None and outcome.refusal is not None:
        return {"outcome": "refused", "error": _error(condition_of(outcome.refusal))}
    return {"outcome": "accepted"}


def _spoken(result: FileResult, said: SpokenResult) -> dict[str, Any]:
    if said.state == REFLECTED and said.stanza is not None:
        room = result.recipient.to
        identifier = stable_id(said.stanza, room)
        return {"outcome": "reflected", "stanza_id": {"id": identifier, "by": str(room)} if identifier else None}
    if said.blocked is not None:
        return {"outcome": "refused", "error": _error(condition_of(said.blocked))}
    if said.error is not None:
        return _failed(failure_for(said.error))
    return _failed(RestFailure(504, "wait", "remote-server-timeout", NOT_SHOWN.format(id=result.id)))


def _failed(error: RestFailure) -> dict[str, Any]:
    said = {"type": error.type, "condition": error.condition, "text": error.text, "by": error.by}
    return {"outcome": "error", "code": error.status, "error": {k: v for k, v in said.items() if v}}


def _error(error: StanzaError) -> dict[str, Any]:
    return {k: v for k, v in error._asdict().items() if v}
