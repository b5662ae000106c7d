"""`/api/messages`: sends messages and reads the history (client-api §2, §6)."""

from __future__ import annotations

import uuid
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.api.client.history import bounds, wants_xml
from xmpp_rest.api.client.messageitem import message_item
from xmpp_rest.api.client.outgoing import extensions
from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.api.client.resource import ClientReply, ClientResource
from xmpp_rest.api.client.values import address, milliseconds, string
from xmpp_rest.auth.scopes import Use
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.messages.archive import ArchivedMessage


class MessagesResource(ClientResource):
    """The archive of the caller, with everybody or with one."""

    methods = ("OPTIONS", "GET", "POST")
    uses = {"POST": Use.SEND}

    def post(self) -> ClientReply:
        """Send a chat message; the segment of the path is ignored."""
        fields = self.fields()
        if "to" not in fields:
            raise Refusal(400, "Missing recipient JID")
        to = address(fields["to"], "Invalid recipient JID")
        self.require_recipient(to)
        self.charge()
        if "body" not in fields:
            raise Refusal(400, "Missing message body")
        body = child("body", string(fields["body"], "Invalid message body"))
        identifier = str(uuid.uuid4())
        stanza = make("message", body, *extensions(fields), type_="chat", id_=identifier, from_=str(self.account), to_=str(to))
        self.services.sending.post(stanza, self.account, to)
        return ClientReply(200, {"id": identifier})

    def get(self) -> list[dict[str, Any]]:
        """A page of history, the oldest message first."""
        partner = address(self.args["with"], "Invalid interlocutor JID", old_status=404) if "with" in self.args else None
        limit, end = bounds(self.request, strict=self.settings.generation != 3)
        limit = min(limit, self.settings.page_limit)
        items = self._messages(partner, end, limit) if limit else []
        if wants_xml(self.request):
            self.response.headers["Preference-Applied"] = "xml"
            return [_item(kept) | {"xml": serialise(kept.stanza)} for kept in items]
        return [_item(kept) for kept in items]

    def _messages(self, partner: JID | None, end: float | None, limit: int) -> list[ArchivedMessage]:
        return self.services.history.messages(self.account, partner, end, limit, _is_shown)


def _is_shown(stanza: Element) -> bool:
    """Archives that other programs wrote hold messages without a body too."""
    return stanza.tag == "message" and stanza.find("body") is not None and stanza.get("type") != "groupchat"


def _item(kept: ArchivedMessage) -> dict[str, Any]:
    return message_item(kept.stanza, kept.id, milliseconds(kept.when)) or {}
