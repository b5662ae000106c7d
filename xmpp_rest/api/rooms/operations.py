"""The operations of /rest/rooms, for its OpenAPI description (rooms-anywhere §6)."""

from __future__ import annotations

from xmpp_rest.api.openapi.model import (
    AS_PROBLEM,
    JSON,
    STRING,
    TEXT,
    ApiAnswer,
    ApiBody,
    ApiOperation,
    Description,
    Media,
    Parameter,
    Schema,
    array,
    choice,
    integer,
    record,
    ref,
    refusals,
    some,
)  # fmt: skip
from xmpp_rest.api.rooms.bodies import MAX_HISTORY, MAX_INVITED
from xmpp_rest.api.rooms.messages import PAGE

TEXTS = {
    400: "The body is not JSON, or a field of the request cannot be read.",
    401: "No credentials.",
    403: "Wrong credentials, or not for this caller; or the room refuses: a password, members only, banned, not allowed, policy.",
    404: "There is no such room, or no room service; or no membership, no occupant, no message of this name.",
    406: "`Accept` rules out `application/json`.",
    409: "The nick is taken or not allowed; one is not in the room; or it stands in the configuration.",
    410: "The room was destroyed; `location` names the one that replaces it, if there is one.",
    412: "A condition of the request does not hold.",
    413: "The body is too large.",
    415: "The body is not `application/json`, or has a coding that is not known here.",
    422: "No room, no nick, or a member that is unknown or has a wrong value: `detail` names it.",
    429: "Too many joins, or too many wrong credentials.",
    500: "The gateway has met an error of its own.",
    502: "There is no such server, no server of the account that is to be trusted, or the room refuses for a reason that has no status.",
    503: "Not now: see `Retry-After`.",
    504: "The room does not answer.",
}
REFUSED = refusals(TEXTS, AS_PROBLEM)
FOR_ALL = some(REFUSED, 400, 401, 403, 404, 406, 412, 422, 429, 500, 502, 503)
BY_ROOM = FOR_ALL | some(REFUSED, 409, 410, 413, 415, 504)
ABOUT = "Rooms of XEP-0045 on any server: being in them, reading along, and what occupants do there."
TIME: Schema = {"type": "string", "format": "date-time"}
OR_NULL: Schema = {"type": "null"}
ADDRESS = "garden@conference.localhost"
ROOM = Parameter("room", "path", "The bare address of the room.", example=ADDRESS)
OF = Parameter(
    "of", "query", "Whose rooms, for the component token and for administrators: an address of the gateway's domain.",
    example="romeo@localhost",
)  # fmt: skip
PREFER = Parameter("Prefer", "header", "`respond-async`: do not wait for the room.", example="respond-async")
NICK = Parameter("Nick", "header", "The nick, where the body has none: percent-encoded UTF-8.", example="Romeo%20M.")
COUNT = Parameter("max", "query", "At most so many messages.", integer(1, PAGE[1]), PAGE[0])
BEFORE = Parameter("before", "query", "The newest before the message of this `archive_id`.")
AFTER = Parameter("after", "query", "The oldest after the message of this `archive_id`.")
REASON = Parameter("reason", "query", "What the room is told.", example="Good night")
WHY: dict[str, Schema] = {"reason": STRING}
JOIN = record(
    {},
    {
        "nick": STRING, "password": {"type": ["string", "null"]}, "history": integer(0, MAX_HISTORY, default=0),
        "stay": {"type": "boolean", "default": True}, "create": {"type": "boolean", "default": False},
    },
)  # fmt: skip
PEOPLE: Schema = {"anyOf": [STRING, array(STRING, minItems=1, maxItems=MAX_INVITED)]}
INVITATION = record({"to": PEOPLE}, WHY | {"direct": {"type": "boolean", "default": False}})
TOPIC = record({"subject": STRING})
BAN: Schema = {"anyOf": [record({"jid": STRING}, WHY), record({"nick": STRING}, WHY)]}
AS_ROOM: dict[str, Schema] = {JSON: ref("MucMembership")}
LOCATION = {"Location": "Where the membership is."}
DONE = {204: ApiAnswer("The room has done it.")}
OPERATIONS = (
    ApiOperation(
        "get", "/rest/rooms", "roomsList", "The rooms that the account is in, or wants to be in",
        {200: ApiAnswer("By address.", {JSON: record({"rooms": array(ref("MucMembershipSummary"))})})} | FOR_ALL, (OF,),
    ),
    ApiOperation(
        "put", "/rest/rooms/{room}", "roomsJoin", "Join a room, and stay in it",
        {
            200: ApiAnswer("One was in; a nick is changed.", AS_ROOM),
            201: ApiAnswer("One is in.", AS_ROOM, LOCATION),
            202: ApiAnswer("With `Prefer: respond-async`: what becomes of it is at GET.", AS_ROOM),
        } | BY_ROOM,
        (ROOM, OF, PREFER, NICK), ApiBody({JSON: Media(JOIN, {"nick": "romeo", "history": 20})}, required=False),
        text="Waits until the room has let one in. Of a join that is refused nothing is kept.",
    ),
    ApiOperation(
        "get", "/rest/rooms/{room}", "roomsRead", "One room, and who is in it", {200: ApiAnswer("It.", AS_ROOM)} | FOR_ALL, (ROOM, OF),
    ),
    ApiOperation(
        "delete", "/rest/rooms/{room}", "roomsLeave", "Leave a room",
        {204: ApiAnswer("One is out, and does not come back.")} | FOR_ALL | some(REFUSED, 409), (ROOM, OF, REASON),
    ),
    ApiOperation(
        "get", "/rest/rooms/{room}/messages", "roomsMessages", "The messages of a room that are kept, oldest first",
        {
            200: ApiAnswer(
                "Stanzas as JSON, each with `archive_id` and `timestamp`; `complete`: there are no more in that direction.",
                {JSON: record({"messages": array(ref("MucMessage")), "complete": {"type": "boolean"}})},
            )
        } | FOR_ALL, (ROOM, OF, COUNT, BEFORE, AFTER),
    ),
    ApiOperation(
        "put", "/rest/rooms/{room}/subject", "roomsSubject", "Set the subject of a room; an empty one takes it away",
        DONE | BY_ROOM, (ROOM, OF), ApiBody({JSON: Media(TOPIC, {"subject": "Tonight"}), TEXT: Media(STRING, "Tonight")}),
    ),
    ApiOperation(
        "post", "/rest/rooms/{room}/invite", "roomsInvite", "Invite people through the room; `direct`: by a message to each",
        DONE | BY_ROOM, (ROOM, OF), ApiBody({JSON: Media(INVITATION, {"to": "admin@localhost", "reason": "Come"})}),
    ),
    ApiOperation(
        "post", "/rest/rooms/{room}/kick", "roomsKick", "Put an occupant out", DONE | BY_ROOM, (ROOM, OF),
        ApiBody({JSON: Media(record({"nick": STRING}, WHY), {"nick": "tybalt", "reason": "Peace"})}),
    ),
    ApiOperation(
        "post", "/rest/rooms/{room}/ban", "roomsBan", "Ban a person, by address or by nick", DONE | BY_ROOM, (ROOM, OF),
        ApiBody({JSON: Media(BAN, {"jid": "tybalt@localhost"})}),
    ),
)  # fmt: skip
WHY_OUT = record(
    {
        "condition": STRING, "text": STRING, "status": array({"type": "integer"}), "actor": {"type": ["string", "null"]},
        "rejoin": {"type": "boolean"}, "next": {"anyOf": [TIME, OR_NULL]},
    }
)  # fmt: skip
SUMMARY: dict[str, Schema] = {
    "room": STRING, "nick": STRING, "state": choice("joining", "in", "out"), "since": TIME,
    "reason": {"anyOf": [WHY_OUT, OR_NULL]}, "stay": {"type": "boolean"}, "by": STRING,
}  # fmt: skip
OCCUPANT = record({"nick": STRING, "role": STRING, "affiliation": STRING}, {"jid": STRING, "occupant_id": STRING})
SCHEMAS = {
    "MucMembershipSummary": record(SUMMARY, description="A membership: `by` is `request`, `demand` or `callback:NAME`."),
    "MucMembership": record(
        SUMMARY
        | {
            "name": STRING, "subject": {"anyOf": [record({"text": STRING, "nick": STRING}), OR_NULL]},
            "role": {"type": ["string", "null"]}, "affiliation": {"type": ["string", "null"]}, "persistent": {"type": "boolean"},
            "features": array(STRING), "occupants": array(OCCUPANT), "occupants_total": integer(0),
        },
        description="A membership, and what is known of the room.",
    ),
    "MucMessage": record({"archive_id": STRING, "timestamp": TIME}, closed=False, description="A stanza as JSON."),
}  # fmt: skip


def describe() -> Description:
    """The API of rooms on any server."""
    return Description("rooms", ABOUT, OPERATIONS, SCHEMAS)
