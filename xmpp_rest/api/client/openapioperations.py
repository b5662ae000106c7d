"""The operations of the client API and their answers, one line each, for its description (client-api §12)."""

from __future__ import annotations

from typing import NamedTuple

from xmpp_rest.api.client.openapischemas import Schema, array, ref

Answers = dict[int, Schema | None]


class Operation(NamedTuple):
    """One method at one path: statuses of success with their schemas (None: no body), what it refuses beyond 400."""

    method: str
    path: str
    summary: str
    answers: Answers
    body: str = ""  # name of a schema
    refusals: dict[int, str] = {}
    query: tuple[str, ...] = ()


MESSAGES: Answers = {200: array(ref("Message"))}
ITEMS: Answers = {200: array(ref("RoomItem"))}
ROOMS: Answers = {200: array(ref("Room"))}
ROOM: Answers = {200: ref("RoomDetails")}
CONTACTS: Answers = {200: array(ref("Contact"))}
NOT_DELETED: Answers = {200: ref("NotDeleted")}
SENT: Answers = {200: ref("Id")}
CREATED: Answers = {201: ref("Id")}
DONE: Answers = {204: None}
NEVER: Answers = {}

OF_TOKENS = {403: "The caller's token does not let send to this address."}
OF_ROOMS = {404: "There are no rooms."}
FULL = "the room would have too many occupants, or its owner too many rooms or occupants of other servers"
OF_NAMELESS_ROOM = {403: f"Refused: {FULL}.", 404: "There are no rooms."}
OF_NEW_ROOM = {403: f"There is such a room already; or {FULL}.", 404: "There are no rooms."}
OF_ROOM = {403: "The caller is not in the room, or may not do this.", 404: "There is no such room."}
OF_ACCOUNTS = {403: "The roster is full.", 404: "There is no such account."}
OF_CONTACTS = {404: "There is no such contact."}
ARCHIVED = {501: "The server of the caller's account has no archive."}
ALWAYS = {404: "Always."}
PAGE = ("limit", "before")

OPERATIONS = (
    Operation("get", "/messages", "The caller's messages, sent and received: the newest page, oldest first", MESSAGES, "", ARCHIVED, PAGE),
    Operation("post", "/messages", "Send a chat message", SENT, "NewMessage", OF_TOKENS),
    Operation("get", "/messages/{with}", "What the caller exchanged with one", MESSAGES, "", ARCHIVED, PAGE),
    Operation("post", "/messages/{with}", "Send a chat message; the path is ignored", SENT, "NewMessage", OF_TOKENS),
    Operation("get", "/sse", "What happens, as it happens: events `message` and `room.message`", NEVER, query=("resume", "rooms", "xml")),
    Operation("get", "/rooms", "The caller's rooms", ROOMS, "", OF_ROOMS),
    Operation("post", "/rooms", "Make a room", CREATED, "NewRoom", OF_NAMELESS_ROOM),
    Operation("put", "/rooms", "Nothing: a room with a name is made at its own path", NEVER, "NewRoom", OF_ROOMS),
    Operation("get", "/rooms/{id}", "A room and who is in it", ROOM, "", OF_ROOM),
    Operation("post", "/rooms/{id}", "Make a room; the path is ignored", CREATED, "NewRoom", OF_NAMELESS_ROOM),
    Operation("put", "/rooms/{id}", "Make a room of this name", CREATED, "NewRoom", OF_NEW_ROOM),
    Operation("put", "/rooms/{id}/config", "Change name and subject", DONE, "RoomConfig", OF_ROOM),
    Operation("post", "/rooms/{id}/users", "Add an occupant", DONE, "NewOccupant", OF_ROOM),
    Operation("delete", "/rooms/{id}/users", "Nothing: an occupant is removed at a path of his own", NEVER, "", OF_ROOM),
    Operation("post", "/rooms/{id}/users/{user}", "Add the occupant in the body", DONE, "NewOccupant", OF_ROOM),
    Operation("delete", "/rooms/{id}/users/{user}", "Remove an occupant, or leave", DONE, "", OF_ROOM),
    Operation("get", "/rooms/{id}/messages", "What was said in a room: the newest page, oldest first", ITEMS, "", OF_ROOM | ARCHIVED, PAGE),
    Operation("post", "/rooms/{id}/messages", "Say something in a room", SENT, "NewRoomMessage", OF_ROOM),
    Operation("get", "/contacts", "The caller's contacts", CONTACTS),
    Operation("post", "/contacts", "Add a contact", DONE, "NewContact", OF_ACCOUNTS),
    Operation("put", "/contacts", "Invite or accept the contact that `jid` names", DONE, "ContactAction", OF_CONTACTS),
    Operation("delete", "/contacts", "Remove several contacts", NOT_DELETED, "ContactList"),
    Operation("get", "/contacts/{jid}", "Nothing: contacts are listed together", NEVER, "", ALWAYS),
    Operation("post", "/contacts/{jid}", "Add a contact; `jid` in the body comes first", DONE, "NewContactOrNone", OF_ACCOUNTS),
    Operation("put", "/contacts/{jid}", "Invite or accept a contact", DONE, "ContactAction", OF_CONTACTS),
    Operation("delete", "/contacts/{jid}", "Remove a contact", DONE, "", OF_CONTACTS),
)
