"""The table of room options: default, reader and form field of each. Values are strings, as commands return and accept them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.stanza import child

MAX_TEXT = 65536  # characters
MAX_WORD = 40  # characters of an unknown option that are compared with the known ones
MAX_USERS = 100_000
ROLES = ("moderator", "participant", "visitor")  # that presence_broadcast may name


class Form(NamedTuple):
    """The field of an option in the configuration form: variable, type (XEP-0004 §3.3), label, choices."""

    var: str
    type: str
    label: str
    choices: tuple[str, ...] = ()


class Option(NamedTuple):
    """The default of an option, the reader of its values (raises ValueError), and its field in the form, if it has one."""

    default: str
    read: Callable[[str], str]
    form: Form | None = None


def _checked_text(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise ValueError("the text is too long")
    try:
        serialise(child("text", value))  # it will be part of stanzas
    except (BadXML, UnicodeEncodeError) as e:
        raise ValueError(str(e)) from e
    return value


def _number(low: int, high: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or not low <= int(value) <= high:
            raise ValueError(f"a number from {low} to {high} is needed")
        return str(int(value))

    return read


def _word(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)} is needed")
        return value

    return read


def split(text: str) -> list[str]:
    """The parts of a value with several, separated by `;` or `,` (commands-api §11)."""
    return [part for part in map(str.strip, re.split("[;,]", text)) if part]


def _roles(value: str) -> str:
    """A list of roles, as shown (`[moderator,visitor]`) or without brackets."""
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    chosen = split(inner)
    if not set(chosen) <= set(ROLES):
        raise ValueError(f"some of {', '.join(ROLES)} are needed")
    return f"[{','.join(role for role in ROLES if role in chosen)}]"


def _flag(default: bool, var: str = "", label: str = "") -> Option:
    form = Form(f"muc#roomconfig_{var}", "boolean", label) if var else None
    return Option("true" if default else "false", _word("true", "false"), form)


def _field(var: str, kind: str, label: str, choices: tuple[str, ...] = ()) -> Form:
    return Form(f"muc#roomconfig_{var}", kind, label, choices)


_WHOM = ("anyone", "participants", "moderators", "none")
_FROM_VISITORS = ("anyone", "moderators", "nobody")
OPTIONS: dict[str, Option] = {
    "title": Option("", _checked_text, _field("roomname", "text-single", "Title")),
    "description": Option("", _checked_text, _field("roomdesc", "text-single", "Description")),
    "persistent": _flag(False, "persistentroom", "Keep the room when everybody has left"),
    "public": _flag(True, "publicroom", "List the room"),
    "public_list": _flag(True, "public_list", "Show the list of occupants to everybody"),
    "password_protected": _flag(False, "passwordprotectedroom", "Ask for a password"),
    "password": Option("", _checked_text, _field("roomsecret", "text-private", "Password")),
    "max_users": Option("200", _number(0, MAX_USERS), _field("maxusers", "text-single", "Maximum number of occupants")),
    "anonymous": Option(
        "true", _word("true", "false"), _field("whois", "list-single", "Who sees real addresses", ("moderators", "anyone"))
    ),
    "presence_broadcast": Option(
        "[moderator,participant,visitor]", _roles, _field("presencebroadcast", "list-multi", "Whose presence is shown", ROLES)
    ),
    "members_only": _flag(False, "membersonly", "Members only"),
    "moderated": _flag(True, "moderatedroom", "Visitors may not speak"),
    "members_by_default": _flag(True, "members_by_default", "Newcomers are participants, not visitors"),
    "allow_change_subj": _flag(True, "changesubject", "Participants may change the subject"),
    "allowpm": Option("anyone", _word(*_WHOM), _field("allowpm", "list-single", "Who may send private messages", _WHOM)),
    "allow_private_messages_from_visitors": Option(
        "anyone",
        _word(*_FROM_VISITORS),
        _field("allow_private_messages_from_visitors", "list-single", "Whom visitors may send private messages", _FROM_VISITORS),
    ),
    "allow_query_users": _flag(True, "allow_query_users", "Occupants may query each other"),
    "allow_user_invites": _flag(False, "allowinvites", "Occupants may invite others"),
    "allow_visitor_status": _flag(True, "allow_visitor_status", "Visitors may say a status in their presence"),
    "allow_visitor_nickchange": _flag(True, "allow_visitor_nickchange", "Visitors may change their nick"),
    "allow_voice_requests": _flag(True, "allow_voice_requests", "Visitors may ask for voice"),
    "voice_request_min_interval": Option(
        "1800", _number(0, 10**9 - 1), _field("voice_request_min_interval", "text-single", "Seconds between requests for voice")
    ),
    "allow_subscription": _flag(False, "allow_subscription", "Allow subscriptions"),
    "mam": _flag(True, "mam", "Archive messages"),
    "logging": Option("false", _word("false")),  # room logs are not written here
    "lang": Option("en", _checked_text, _field("lang", "text-single", "Language")),
    "pubsub": Option("", _checked_text, _field("pubsub", "text-single", "Address of a pubsub node of the room")),
    "subject": Option("", _checked_text),
    "subject_author": Option("", _checked_text),
    "vcard": Option("", _checked_text),
    "captcha_protected": _flag(False),
    "enable_hats": _flag(True),
}
FIXED = {"captcha_whitelist": "{0,nil}", "vcard_xupdate": "undefined"}  # COMPAT ejabberd: shown, cannot be set
DEFAULTS = {name: option.default for name, option in OPTIONS.items()}


def read_option(name: str, value: str) -> str:
    """The value in canonical form. Raises GatewayError: bad-room-option."""
    option = OPTIONS.get(name)
    if option is None:
        near = difflib.get_close_matches(name[:MAX_WORD], OPTIONS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(OPTIONS)}"
        raise GatewayError("bad-room-option", f"a room has no option {name[:100]!r}; {hint}")
    try:
        return option.read(value)
    except ValueError as e:
        raise GatewayError("bad-room-option", f"{name}: {e}") from e


def read_options(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Several options in canonical form. Raises GatewayError: bad-room-option."""
    return {name: read_option(name, value) for name, value in given}
