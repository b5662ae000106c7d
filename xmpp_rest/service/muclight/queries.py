"""Queries of XMPP clients to a MUC Light room: information, configuration, affiliations (XEP Multi-User Chat Light §4.3-§5.4)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.muclight import notices
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.muclight.notices import AFFILIATIONS, CONFIGURATION, CREATE, DESTROY, INFO
from xmpp_rest.service.muclight.room import AFFILIATIONS as WORDS
from xmpp_rest.service.muclight.room import MucLightRoom, NewAffiliation

Answer = Callable[[Element, JID, str], Element | None]
"""(iq, asker's bare address, room's localpart) → the child of the result. Raises GatewayError."""


class RoomQueries:
    """Answers by type and child of the iq."""

    def __init__(self, rooms: MucLight) -> None:
        self._rooms = rooms
        self.answers: dict[tuple[str, str], Answer] = {
            ("get", f"{CONFIGURATION}query"): self._configuration,
            ("get", f"{AFFILIATIONS}query"): self._affiliations,
            ("get", f"{INFO}query"): self._info,
            ("set", f"{CONFIGURATION}query"): self._configure,
            ("set", f"{AFFILIATIONS}query"): self._affiliate,
            ("set", f"{CREATE}query"): self.create,
            ("set", f"{DESTROY}query"): self._destroy,
        }

    # -- reading

    def _configuration(self, iq: Element, asker: JID, name: str) -> Element | None:
        return self._current(iq, asker, name, CONFIGURATION, lambda room: notices.config(CONFIGURATION, room.config))

    def _affiliations(self, iq: Element, asker: JID, name: str) -> Element | None:
        return self._current(iq, asker, name, AFFILIATIONS, lambda room: notices.users(AFFILIATIONS, _changes(room)))

    def _info(self, iq: Element, asker: JID, name: str) -> Element | None:
        def payload(room: MucLightRoom) -> list[Element]:
            configuration = make(f"{INFO}configuration", *notices.config(INFO, room.config))
            return [configuration, make(f"{INFO}occupants", *notices.users(INFO, _changes(room)))]

        return self._current(iq, asker, name, INFO, payload)

    def _current(
        self, iq: Element, asker: JID, name: str, namespace: str, payload: Callable[[MucLightRoom], list[Element]]
    ) -> Element | None:
        """The present state of the room; nothing if the asker has that version already (XEP §4.3)."""
        room = self._rooms.room(name, asker)
        if (iq[0].findtext(f"{namespace}version") or "").strip() == room.version:
            return None
        return make(f"{namespace}query", *notices.versions(namespace, room.version), *payload(room))

    # -- changing

    def _configure(self, iq: Element, asker: JID, name: str) -> None:
        self._rooms.configure(name, asker, read_config(iq[0], CONFIGURATION), iq.get("id", ""))

    def _affiliate(self, iq: Element, asker: JID, name: str) -> None:
        self._rooms.affiliate(name, asker, read_users(iq[0], AFFILIATIONS), iq.get("id", ""))

    def create(self, iq: Element, asker: JID, name: str) -> None:
        """Make a room, with a random name if the address has none (XEP §5.1.1)."""
        parts = {part.tag: part for part in iq[0]}
        configuration = parts.pop(f"{CREATE}configuration", None)
        occupants = parts.pop(f"{CREATE}occupants", None)
        if parts:
            raise GatewayError("bad-room-change", f"a room is made of a configuration and occupants, not of {min(parts)}")
        config = {} if configuration is None else read_config(configuration, CREATE)
        others = [] if occupants is None else read_users(occupants, CREATE)
        self._rooms.create(asker, config, others, name=name, announce=iq.get("id", ""))

    def _destroy(self, iq: Element, asker: JID, name: str) -> None:
        self._rooms.destroy(name, asker, iq.get("id", ""))


def _changes(room: MucLightRoom) -> list[NewAffiliation]:
    return [NewAffiliation(user, affiliation) for user, affiliation in room.affiliations.items()]


def read_config(fields: Element, namespace: str) -> dict[str, str]:
    """Fields of a configuration. Raises GatewayError: bad-room-change."""
    config: dict[str, str] = {}
    for field in fields:
        name = field.tag.removeprefix(namespace)
        if not field.tag.startswith(namespace) or len(field) or name in config:
            raise GatewayError("bad-room-change", f"a configuration is made of fields with text, each once; {field.tag} is not one")
        config[name] = field.text or ""
    return config


def read_users(users: Element, namespace: str) -> list[NewAffiliation]:
    """Affiliations of users. Raises GatewayError: bad-room-change."""
    return [_read_user(user, namespace) for user in users]


def _read_user(user: Element, namespace: str) -> NewAffiliation:
    affiliation = user.get("affiliation", "")
    if user.tag != f"{namespace}user" or affiliation not in WORDS:
        raise GatewayError("bad-room-change", "write <user affiliation='owner|member|none'>address</user>")
    try:
        return NewAffiliation(parse_jid((user.text or "").strip()).bare, affiliation)
    except InvalidJID as e:
        raise GatewayError("bad-room-change", f"{user.text!r} is not an address: {e}") from e
