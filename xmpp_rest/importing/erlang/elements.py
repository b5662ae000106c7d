"""XML text of elements that are Erlang terms: the records of exml, in which MongooseIM archives messages.

`{xmlel, Name, Attributes, Children}`, whose attributes are a map, or in older databases a list of pairs; text is `{xmlcdata, Text}`, with a
third member in newer ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from xmpp_rest.importing.erlang.terms import BadTerm, Term, text_of

_NAME = re.compile(r"[^\W\d][\w.\-]*(?::[^\W\d][\w.\-]*)?")
_QUOTES = {"'": "&apos;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def element_text(term: Term) -> str:
    """The XML text of an element. Raises BadTerm unless the term is one."""
    parts: list[str] = []
    _write(term, parts)
    return "".join(parts)


def _write(term: Term, parts: list[str]) -> None:
    match term:
        case ("xmlel", name, attributes, list(children)):
            tag = _name(name)
            parts.append(f"<{tag}")
            parts.extend(f' {_name(key)}="{escape(text_of(value), _QUOTES)}"' for key, value in _pairs(attributes))
            parts.append(">" if children else "/>")
            for child in children:
                _write(child, parts)
            if children:
                parts.append(f"</{tag}>")
        case ("xmlcdata", text, *_):
            parts.append(escape(text_of(text), {"\r": "&#13;"}))
        case _:
            raise BadTerm("this term is not an XML element")


def _pairs(attributes: Term) -> Iterable[tuple[Term, Term]]:
    if isinstance(attributes, dict):
        return attributes.items()
    if not isinstance(attributes, list) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in attributes):
        raise BadTerm("the attributes of an element are neither a map nor a list of pairs")
    return attributes


def _name(term: Term) -> str:
    name = text_of(term)
    if not _NAME.fullmatch(name):
        raise BadTerm(f"{name[:40]!r} is not a name that an element or attribute can have")
    return name
