"""`/contacts` and `/contacts/{jid}`: the caller's roster with its subscriptions (client-api §7)."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.client.jids import bare_address
from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.api.client.resource import NO_CONTENT, ClientReply, ClientResource
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import make

ACTIONS = {"invite": "subscribe", "accept": "subscribed"}
"""What a PUT asks for → the presence that says so (RFC 6121 §3.1)."""
INVALID = "Invalid JID"


class ContactsResource(ClientResource):
    """Lists, adds, invites, accepts and removes contacts."""

    methods = ("OPTIONS", "GET", "POST", "PUT", "DELETE")

    def get(self) -> list[dict[str, str]]:
        if "jid" in self.args:
            raise Refusal(404, "JID provided but not supported")
        contacts = self.services.contacts.all(self.account)
        return [{"jid": str(c.jid), "subscription": c.state.subscription, "ask": c.state.ask} for c in contacts]

    def post(self) -> ClientReply:
        given = self.args | self.fields()
        if "jid" not in given:
            raise Refusal(400, "Missing JID")
        jid = self.require_address(bare_address(given["jid"], INVALID), INVALID)
        # COMPAT MongooseIM: generation 3 never asks whether there is such an account
        if self.settings.generation != 3 and not self.services.contacts.known(jid):
            raise Refusal(404, f"The user {jid} does not exist")
        self._add(jid)
        return NO_CONTENT

    def _add(self, jid: JID) -> None:
        try:
            self.services.contacts.add(self.account, jid)
        except GatewayError as e:
            if e.name != "bad-contact":
                raise
            raise Refusal(400, f"{INVALID}: {jid}") from e

    def put(self) -> ClientReply:
        jid = bare_address(self.args["jid"], INVALID) if "jid" in self.args else None
        fields = self._fields_with_jid() if jid is None else self._fields_or_action()
        jid = jid or bare_address(fields["jid"], INVALID)
        if "action" not in fields:
            raise Refusal(400, "Missing action")
        action = fields["action"]
        kind = ACTIONS.get(action) if isinstance(action, str) else None
        if kind is None:
            raise Refusal(400, "Invalid action", old_status=501)
        contacts = self.services.contacts
        if contacts.get(self.account, jid) is not None:
            contacts.ask(self.account, jid, make("presence", type_=kind))
        elif kind != "subscribed" or not contacts.approve_unseen(self.account, jid):
            raise Refusal(404, "Given contact does not exist")
        return NO_CONTENT

    def _fields_or_action(self) -> dict[str, Any]:
        """COMPAT MongooseIM: its Swagger has the action alone for a body, as a JSON string."""
        value = self.value()
        if isinstance(value, str):
            return {"action": value}
        if not isinstance(value, dict):
            raise Refusal(400, "Invalid request body")
        return value

    def _fields_with_jid(self) -> dict[str, Any]:
        """COMPAT MongooseIM: generation 3 took the JID from the body too."""
        try:
            fields = self.fields()
        except Refusal as e:
            raise Refusal(400, "Missing JID") from e
        if "jid" not in fields:
            raise Refusal(400, "Missing JID")
        return fields

    def delete(self) -> ClientReply:
        if "jid" in self.args:
            jid = bare_address(self.args["jid"], INVALID)
            if not all(self.services.contacts.remove_each(self.account, [jid])):
                raise Refusal(404, f"Cannot remove {jid} contact that does not exist")
            return NO_CONTENT
        listed = self._listed()
        removed = self.services.contacts.remove_each(self.account, listed)
        return ClientReply(200, {"not_deleted": [str(jid) for jid, done in zip(listed, removed, strict=True) if not done]})

    def _listed(self) -> list[JID]:
        """The addresses in `to_delete`, each once. One that is none keeps all of them."""
        given = self.fields().get("to_delete")
        if not isinstance(given, list) or not all(isinstance(jid, str) for jid in given):
            raise Refusal(400, "Invalid list of JIDs")
        return list(dict.fromkeys(bare_address(jid, INVALID) for jid in given))
