"""Archive queries: reads their form and page (XEP-0313 §4.1, XEP-0059 §2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.forms import FORM, field
from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import MAM, RSM
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.messages.archive import ArchiveFilter

DEFAULT_PAGE = 50
_RSM = f"{{{RSM}}}"


class MamQuery(NamedTuple):
    """A query for `limit` items that match `wanted`, `backwards` from the newest or forwards from the oldest.

    `counted`: what all pages together match, of which `wanted` is what lies before or after an item.
    """

    id: str | None
    wanted: ArchiveFilter
    counted: ArchiveFilter
    limit: int
    backwards: bool
    flip: bool  # the newest of the page first


def _one(read: Callable[[str], Any]) -> Callable[[list[str]], Any]:
    def only(values: list[str]) -> Any:
        if len(values) != 1:
            raise ValueError("it has exactly one value")
        return read(values[0])

    return only


# field of the form → its type, the name of the condition, and its reader
FIELDS: dict[str, tuple[str, str, Callable[[list[str]], Any]]] = {
    "with": ("jid-single", "partner", _one(parse_jid)),
    "start": ("text-single", "start", _one(parse_datetime)),
    "end": ("text-single", "end", _one(parse_datetime)),
    "before-id": ("text-single", "before", _one(str)),
    "after-id": ("text-single", "after", _one(str)),
    "ids": ("list-multi", "ids", tuple),
}


def form() -> Element:
    """The form of a query (XEP-0313 §4.1.1)."""
    fields = [field(type=kind, var=name) for name, (kind, _, _) in FIELDS.items()]
    return make(f"{FORM}x", field(MAM, type="hidden", var="FORM_TYPE"), *fields, type="form")


def read_query(query: Element, most: int) -> MamQuery:
    """The query in the child of an iq, for a page of at most `most` items. Raises StanzaRefused."""
    if query.get("node"):
        raise StanzaRefused("item-not-found", "this archive has no nodes")
    wanted = _wanted(query.find(f"{FORM}x"))
    page = query.find(f"{_RSM}set")
    limit, paging = _page(page) if page is not None else (DEFAULT_PAGE, {})
    before = paging.get("before")
    # a page is a part of the range of before-id and after-id, so the page's own bounds are narrower
    bounds = {name: text for name, text in paging.items() if text}
    return MamQuery(
        query.get("queryid"),
        ArchiveFilter(**(wanted | bounds)),
        ArchiveFilter(**wanted),
        min(limit, most),
        before is not None,
        query.find(f"{{{MAM}}}flip-page") is not None,
    )


def _wanted(fields: Element | None) -> dict[str, Any]:
    wanted = {}
    for given in fields.findall(f"{FORM}field") if fields is not None else ():
        name = given.get("var", "")
        if name == "FORM_TYPE":
            continue
        if name not in FIELDS:
            raise StanzaRefused("feature-not-implemented", f"there is no field {name!r}; there are {', '.join(FIELDS)}")
        values = [value.text or "" for value in given.findall(f"{FORM}value")]
        if not values:  # an empty field sets no condition; the shortcuts of /rest leave them empty (json-mapping §5)
            continue
        _, becomes, read = FIELDS[name]
        try:
            wanted[becomes] = read(values)
        except InvalidJID as e:
            raise StanzaRefused("jid-malformed", f"{name}: {e}") from e
        except ValueError as e:
            raise StanzaRefused("bad-request", f"{name}: {e}") from e
    return wanted


def _page(page: Element) -> tuple[int, dict[str, str]]:
    """The number of items, and `before` and `after` if they are given."""
    if page.find(f"{_RSM}index") is not None:  # XEP-0059 §2.6 allows to refuse this
        raise StanzaRefused("feature-not-implemented", "pages are not found by number; use before or after")
    most = page.findtext(f"{_RSM}max", str(DEFAULT_PAGE)).strip()
    if not re.fullmatch(r"[0-9]{1,18}", most, re.ASCII):
        raise StanzaRefused("bad-request", "max: write a whole number from 0")
    return int(most), {name: page.findtext(f"{_RSM}{name}", "") for name in ("before", "after") if page.find(f"{_RSM}{name}") is not None}
