"""The parameters of `POST /rest/files`, from the query string and from the parts of a form (files §2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from xmpp_rest.api.detail import did_you_mean
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.prep import PrepError, resourceprep
from xmpp_rest.protocol.stanza import child

MOST_RECIPIENTS = 100
MOST_DIGITS = 9
TYPES = ("chat", "groupchat", "normal")


class BadParameter(Exception):
    """A parameter that cannot be used. `name`: its name; `condition`: of XMPP."""

    def __init__(self, name: str, sentence: str, condition: str = "bad-request") -> None:
        super().__init__(f"{name[:60]}: {sentence}")
        self.name = name
        self.condition = condition


class FileRequest(NamedTuple):
    """What is asked for. `url`: where the file is to be fetched; `sender`, `of`: who acts, as it was written."""

    to: tuple[JID, ...] = ()
    caption: str = ""
    name: str = ""
    type: str = ""
    expire: int | None = None
    nick: str = ""
    width: int | None = None
    height: int | None = None
    url: str = ""
    sender: JID | None = None
    of: JID | None = None


class ParameterReader:
    """Collects parameters as they come. `longest_expire`: seconds, 0 for no bound; `longest_caption`: bytes."""

    def __init__(self, longest_expire: int, longest_caption: int) -> None:
        self._longest_expire = longest_expire
        self._longest_caption = longest_caption
        self._to: dict[JID, None] = {}
        self._addresses = 0
        self._found: dict[str, Any] = {}

    def add(self, name: str, value: str) -> None:
        """Take one. Raises BadParameter."""
        if name != "to" and name not in _READERS:
            raise BadParameter(name, f"there is no such parameter{did_you_mean(name, ['to', *_READERS])}")
        if not value:
            raise BadParameter(name, "it is empty; leave it out, or give it a value")
        if name == "to":
            self._add_recipient(value)
            return
        member = _MEMBERS.get(name, name)
        if member in self._found:
            raise BadParameter(name, "it is there twice; only `to` may be repeated")
        self._found[member] = _READERS[name](self, value)

    def _add_recipient(self, value: str) -> None:
        self._addresses += 1
        if self._addresses > MOST_RECIPIENTS:
            raise BadParameter("to", f"a file is sent to at most {MOST_RECIPIENTS} addresses at once", "resource-constraint")
        self._to[_jid("to", value)] = None

    def add_query(self, query: str) -> None:
        """Take those of a query string. Raises BadParameter."""
        try:
            pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=10 * MOST_RECIPIENTS)
        except ValueError as e:
            raise BadParameter("query string", f"it cannot be read: {e}") from e
        self.add_all(pairs)

    def add_all(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take these. Raises BadParameter."""
        for name, value in pairs:
            self.add(name, value)

    @property
    def request(self) -> FileRequest:
        """What is asked for as far as it is known."""
        return FileRequest(tuple(self._to), **self._found)

    def complete(self) -> FileRequest:
        """What is asked for, when nothing more comes. Raises BadParameter."""
        request = self.request
        if request.caption and not request.to:
            raise BadParameter("caption", "a caption is a message of its own: say with `to` whom it is for")
        return request

    # values

    def text(self, value: str) -> str:
        """The text of a message."""
        if len(value) > self._longest_caption or len(value.encode("utf-8", "surrogatepass")) > self._longest_caption:
            raise BadParameter("caption", f"a caption has at most {self._longest_caption} bytes")
        try:
            serialise(child("body", value))
        except (BadXML, UnicodeEncodeError) as e:
            raise BadParameter("caption", f"this text cannot be sent: {e}") from e
        return value

    def seconds(self, value: str) -> int:
        """How long a file stays."""
        seconds = _number("expire", value)
        if self._longest_expire and seconds > self._longest_expire:
            raise BadParameter("expire", f"files are kept for at most {self._longest_expire} seconds ([files] expire)")
        return seconds

    def kind(self, value: str) -> str:
        """The type of a message."""
        if value not in TYPES:
            raise BadParameter("type", f"write one of {', '.join(TYPES)}")
        return value

    def nick(self, value: str) -> str:
        """A nick in rooms."""
        return prepared_nick("nick", value)


def nick_in_field(field: str) -> str:
    """The nick in a header field, which is percent-encoded UTF-8. Raises BadParameter."""
    try:
        return prepared_nick("Nick", unquote(field, errors="strict"))
    except UnicodeDecodeError:
        raise BadParameter("Nick", "this is not percent-encoded UTF-8", "jid-malformed") from None


def prepared_nick(name: str, value: str) -> str:
    """A nick that may be asked for (rooms-anywhere §3.2). Raises BadParameter."""
    try:
        nick = resourceprep(value)
    except PrepError as e:
        raise BadParameter(name, f"this cannot be a nick: {e}", "jid-malformed") from e
    if not nick.strip():
        raise BadParameter(name, "this cannot be a nick: it is blank", "jid-malformed")
    return nick


def _jid(name: str, value: str) -> JID:
    try:
        jid = parse_jid(value)
    except InvalidJID as e:
        raise BadParameter(name, f"{value[:100]!r} is not an address: {e}", "jid-malformed") from e
    return jid


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > MOST_DIGITS or not int(value):
        raise BadParameter(name, "write a whole number from 1 on")
    return int(value)


_Read = Callable[[ParameterReader, str], Any]
_READERS: dict[str, _Read] = {
    "caption": ParameterReader.text,
    "name": lambda _, value: value,
    "type": ParameterReader.kind,
    "expire": ParameterReader.seconds,
    "nick": ParameterReader.nick,
    "width": lambda _, value: _number("width", value),
    "height": lambda _, value: _number("height", value),
    "url": lambda _, value: value,
    "from": lambda _, value: _jid("from", value),
    "of": lambda _, value: _jid("of", value),
}
_MEMBERS = {"from": "sender"}
