"""Erlang terms written as text, such as `[{affiliations,[{{<<"al">>,<<"localhost">>,<<>>},{owner,<<>>}}]},{mam,true}]`.

ejabberd keeps options of rooms and groups in this form. It writes a binary whose bytes are printable in Latin-1 as they are, so that the
text in the database has them as UTF-8; others as numbers, `<<208,175>>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from xmpp_rest.importing.erlang.terms import MAX_DEPTH, MAX_SIZE, Atom, BadTerm, Term, map_of

_TOKEN = re.compile(
    r"""(?:\s++|%[^\n]*+)*+(?:
      (?P<string>"(?:[^"\\]++|\\.)*+")
    | (?P<quoted>'(?:[^'\\]++|\\.)*+')
    | (?P<float>[+-]?\d+\.\d+(?:[eE][+-]?\d+)?)
    | (?P<based>[+-]?\d{1,2}\#[0-9a-zA-Z]+)
    | (?P<integer>[+-]?\d+)
    | (?P<character>\$(?:\\.|[^\\]))
    | (?P<atom>[a-zß-öø-ÿ][\w@]*)
    | (?P<sign><<|>>|=>|\#\{|[\[\](){},|:/.}])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|([0-7]{1,3})|\^(.)|(.))", re.DOTALL)
_NAMED = {"n": 10, "t": 9, "r": 13, "b": 8, "d": 127, "e": 27, "f": 12, "s": 32, "v": 11}
MAX_DIGITS = 100


class _Token(NamedTuple):
    kind: str
    text: str


def parse_term(text: str) -> Term:
    """The term that `text` is; a full stop at the end may be missing. Raises BadTerm."""
    if len(text) > MAX_SIZE:
        raise BadTerm(f"the term has {len(text)} characters; at most {MAX_SIZE} are read")
    parser = _TermParser(text)
    term = parser.term(0)
    if parser.next.text == ".":
        parser.step()
    if parser.next.kind != "end":
        raise BadTerm(f"after the term comes {parser.next.text[:20]!r}")
    return term


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        kind = match.lastgroup or ""
        yield _Token(kind, match[kind])
    rest = text[at:].strip()
    yield _Token("unknown", rest) if rest else _Token("end", "")


class _TermParser:
    """Reads one term; `next` is the token to be read next."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self.next = next(self._tokens)

    def step(self) -> _Token:
        token = self.next
        if token.kind in ("end", "unknown"):
            raise BadTerm(f"a part of the term is missing, or unreadable: {token.text[:20]!r}")
        self.next = next(self._tokens)
        return token

    def term(self, depth: int) -> Term:
        if depth > MAX_DEPTH:
            raise BadTerm(f"the term is nested more than {MAX_DEPTH} deep")
        token = self.step()
        match token.kind, token.text:
            case "sign", "[":
                return self._listed(depth)
            case "sign", "{":
                return tuple(self._several("}", depth))
            case "sign", "#{":
                return self._map(depth)
            case "sign", "<<":
                return self._binary()
            case "atom", _:
                return Atom(token.text)
            case "quoted", _:
                return Atom(_unescaped(token.text[1:-1]))
            case "string", _:
                return self._strings(token.text)
        return _number(token)

    def _several(self, end: str, depth: int) -> Iterator[Term]:
        """The terms up to `end`, which is read too."""
        if self._took(end):
            return
        while True:
            yield self.term(depth + 1)
            if self._took(end):
                return
            self._require(",")

    def _listed(self, depth: int) -> list[Term]:
        found: list[Term] = []
        if self._took("]"):
            return found
        while True:
            found.append(self.term(depth + 1))
            if self._took("]"):
                return found
            if self.next.text == "|" and self.next.kind == "sign":
                raise BadTerm("a list with a tail that is not a list is not data of a server")
            self._require(",")

    def _map(self, depth: int) -> dict[Term, Term]:
        def pairs() -> Iterator[tuple[Term, Term]]:
            if self._took("}"):
                return
            while True:
                key = self.term(depth + 1)
                self._require("=>")
                yield key, self.term(depth + 1)
                if self._took("}"):
                    return
                self._require(",")

        return map_of(pairs())

    def _binary(self) -> bytes:
        """The bytes after `<<`: strings, with or without `/utf8`, and numbers."""
        found = bytearray()
        if self._took(">>"):
            return b""
        while True:
            token = self.step()
            if token.kind == "string":
                found += self._segment(token.text[1:-1])
            else:
                number = _number(token)
                if not isinstance(number, int) or not 0 <= number < 256:
                    raise BadTerm(f"{token.text[:20]!r} is not a byte")
                found.append(number)
            if self._took(">>"):
                return bytes(found)
            self._require(",")

    def _segment(self, inner: str) -> bytes:
        if not self._took("/"):
            return _bytes(inner)
        if self.step().text != "utf8":
            raise BadTerm("a binary has a segment of another type than utf8")
        return _encoded(_unescaped(inner))

    def _strings(self, text: str) -> str:
        """A string, and those that follow it at once and belong to it."""
        found = _unescaped(text[1:-1])
        while self.next.kind == "string":
            found += _unescaped(self.step().text[1:-1])
        return found

    def _took(self, sign: str) -> bool:
        if self.next != ("sign", sign):
            return False
        self.step()
        return True

    def _require(self, sign: str) -> None:
        if not self._took(sign):
            raise BadTerm(f"{sign!r} was expected, not {self.next.text[:20]!r}")


def _number(token: _Token) -> int | float:
    kind, text = token
    if len(text) > MAX_DIGITS:
        raise BadTerm(f"a number has {len(text)} characters")
    try:
        if kind == "integer":
            return int(text)
        if kind == "float":
            return float(text)
        if kind == "based":
            base, _, digits = text.partition("#")
            return int(digits, abs(int(base))) * (-1 if text.startswith("-") else 1)
    except ValueError as e:
        raise BadTerm(f"{text!r} is not a number") from e
    if kind == "character":
        return ord(_unescaped(text[1:]))
    raise BadTerm(f"a term cannot begin with {text[:20]!r}")


def _unescaped(inner: str) -> str:
    return _ESCAPE.sub(lambda match: chr(_code(match)), inner) if "\\" in inner else inner


def _bytes(inner: str) -> bytes:
    """The bytes of a string in a binary: those of its text, and one for each escape."""
    parts, at = bytearray(), 0
    for match in _ESCAPE.finditer(inner) if "\\" in inner else ():
        parts += _encoded(inner[at : match.start()])
        parts.append(_code(match) & 255)  # as Erlang does
        at = match.end()
    return bytes(parts + _encoded(inner[at:]))


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as e:
        raise BadTerm(f"a text has half of a surrogate pair: {e}") from e


def _code(match: re.Match[str]) -> int:
    long, short, octal, control, plain = match.groups()
    if control:
        return ord(control) & 31
    if plain:
        return _NAMED.get(plain, ord(plain))
    code = int(octal, 8) if octal else int((long or short)[:9], 16)
    if code > 0x10FFFF:
        raise BadTerm(f"there is no character {code}")
    return code
