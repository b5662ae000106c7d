"""Options of a room in ejabberd's table `muc_room`: a term of pairs, of which those that have the default are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xmpp_rest.importing import records as r
from xmpp_rest.importing.ejabberd.messages import address
from xmpp_rest.importing.erlang.terms import Atom, BadTerm, Term, text_of
from xmpp_rest.importing.erlang.text import parse_term

DEFAULTS = {
    "allow_change_subj": "true", "allow_query_users": "true", "allowpm": "anyone", "allow_private_messages_from_visitors": "anyone",
    "allow_visitor_status": "true", "allow_visitor_nickchange": "true", "public": "true", "public_list": "true", "moderated": "true",
    "members_by_default": "true", "members_only": "false", "allow_user_invites": "false", "allow_subscription": "false",
    "password_protected": "false", "anonymous": "true", "presence_broadcast": "[moderator,participant,visitor]",
    "allow_voice_requests": "true", "voice_request_min_interval": "1800", "max_users": "200", "mam": "false",
}  # fmt: skip
"""What ejabberd leaves out (include/mod_muc_room.hrl); ours may be configured to differ."""
_TAKEN = frozenset((*DEFAULTS, "title", "description", "password", "lang", "pubsub", "vcard", "captcha_protected", "enable_hats"))
_IGNORED = frozenset(("persistent", "roles", "hibernation_time", "salt", "subscribers", "affiliations", "subject", "subject_author"))
"""Read elsewhere, or of the running server alone. Every room becomes persistent."""
_EMPTY: tuple[Term, ...] = ([], b"", Atom("undefined"), Atom("false"), (0, Atom("nil")), {})
MOST = "100000"  # COMPAT: max_users none

RoomPart = r.RoomPart
Convert = Callable[[Term], Iterator[RoomPart]]


def room_parts(text: str) -> Iterator[RoomPart]:
    """The parts that the options of a room hold. What cannot be read is left out by itself."""
    kind = r.KINDS[r.RoomOption]
    try:
        term = parse_term(text)
        options = {text_of(pair[0]): pair[1] for pair in term if isinstance(pair, tuple) and len(pair) == 2}
    except (BadTerm, TypeError) as e:
        yield r.LeftOut(kind, f"the options of the room cannot be read: {e}")
        return
    if options.get("allow_private_messages") == "false":  # COMPAT ejabberd before 22.05
        options.setdefault("allowpm", Atom("none"))
    given = {}
    for name, value in options.items():
        if name in _TAKEN:
            try:
                given[name] = _option(name, value)
            except BadTerm as e:
                yield r.LeftOut(kind, f"{name}: {e}")
        elif name not in _IGNORED and name != "allow_private_messages" and value not in _EMPTY:
            yield r.LeftOut(kind, f"rooms here have no option {name}")
    yield from (r.RoomOption(*each) for each in (DEFAULTS | given).items())
    yield from _listed(options.get("affiliations"), r.KINDS[r.RoomAffiliation], _affiliation)
    yield from _listed(options.get("subscribers"), r.KINDS[r.RoomSubscriber], _subscriber)
    yield from _subject(options)


def nodes_of(text: str) -> tuple[str, ...]:
    """The nodes of a subscription, as the table `muc_room_subscribers` has them. Raises BadTerm."""
    term = parse_term(text)
    if not isinstance(term, list):
        raise BadTerm("a list of nodes was expected")
    return tuple(map(text_of, term))


def _option(name: str, value: Term) -> str:
    if name == "max_users" and value == "none":
        return MOST
    if isinstance(value, list) and name == "presence_broadcast":
        return f"[{','.join(map(text_of, value))}]"
    return str(value) if isinstance(value, int) else text_of(value)


def _listed(term: Term, kind: str, convert: Convert) -> Iterator[RoomPart]:
    for each in term if isinstance(term, list) else ():
        try:
            yield from convert(each)
        except (ValueError, TypeError, IndexError) as e:
            yield r.LeftOut(kind, str(e))


def _affiliation(term: Term) -> Iterator[RoomPart]:
    """Of `{{User, Server, Resource}, {Affiliation, Reason}}`, or with the affiliation alone."""
    who, what = term
    word, reason = what if isinstance(what, tuple) else (what, b"")
    if word != "none":
        yield r.RoomAffiliation(address(who), text_of(word), text_of(reason))


def _subscriber(term: Term) -> Iterator[RoomPart]:
    """Of `{JID, Nick, Nodes}`: before 18.12 subscribers were among the options."""
    who, nick, nodes = term
    yield r.RoomSubscriber(address(who), text_of(nick), tuple(map(text_of, nodes)))


def _subject(options: dict[str, Term]) -> Iterator[RoomPart]:
    """Of a binary, or of `[{text, Language, Text}]`; the author is a nick, or `{Nick, Address}`."""
    subject, author = options.get("subject", b""), options.get("subject_author", b"")
    try:
        if isinstance(subject, list):
            subject = next((text[2] for text in subject if isinstance(text, tuple) and len(text) == 3), b"")
        nick = text_of(author[0] if isinstance(author, tuple) and author else author)
        if text := text_of(subject):
            yield r.RoomSubject(text, nick)
    except BadTerm as e:
        yield r.LeftOut(r.KINDS[r.RoomOption], f"subject: {e}")
