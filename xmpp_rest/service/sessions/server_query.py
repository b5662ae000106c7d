"""Queries to the archive of an account's own server, and what comes back (XEP-0313 §4, XEP-0059 §2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import ItemNotFound
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.datetimes import parse_datetime, write_datetime
from xmpp_rest.protocol.forms import FORM, field
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DELAY, FORWARD, MAM, RSM
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter
from xmpp_rest.service.sessions.refused import server_refused

MOST_ASKED = 100  # items of one query: servers give no more at once
NO_ARCHIVE = frozenset(("feature-not-implemented", "service-unavailable"))
_RESULT, _FIN = f"{{{MAM}}}result", f"{{{MAM}}}fin"
_FORWARDED, _STAMP = f"{{{FORWARD}}}forwarded", f"{{{DELAY}}}delay"
_SET = f"{{{RSM}}}set"


class ServerPage(NamedTuple):
    """Messages of a server's archive, the oldest first. `complete`: there are no more in the direction of paging.

    `first` and `last`: the ids that bound the page for the server, also where nothing of it can be read; "" where there are none.
    """

    items: list[ArchivedMessage]
    complete: bool
    first: str = ""
    last: str = ""


def archive_query(session: JID, wanted: ArchiveFilter, limit: int, *, newest: bool, at: JID | None = None) -> Element:
    """The iq that asks for the oldest, or the `newest`, items of an archive: of `at`, or of the account of this session.

    `wanted.before` counts with `newest`, `wanted.after` without: servers bound a page at one end only. `wanted.end` is rounded up to
    whole seconds, and `wanted.start` down, as some servers keep no more of a time (accounts-anywhere §7.4). `wanted.ids`: one at most,
    where the server has `urn:xmpp:mam:2#extended`.
    """
    conditions = {
        "with": str(wanted.partner.bare) if wanted.partner else "",
        "start": "" if wanted.start is None else write_datetime(math.floor(wanted.start)),
        "end": "" if wanted.end is None else write_datetime(math.ceil(wanted.end)),
        "ids": "".join(wanted.ids or ()),
    }
    fields = [field(value, var=name) for name, value in conditions.items() if value]
    form = make(f"{FORM}x", field(MAM, type="hidden", var="FORM_TYPE"), *fields, type="submit")
    bound = child(f"{{{RSM}}}before", wanted.before or "") if newest else child(f"{{{RSM}}}after", wanted.after or "")
    bounds = [bound] if newest or wanted.after else []
    page = make(_SET, child(f"{{{RSM}}}max", str(max(1, min(limit, MOST_ASKED)))), *bounds)
    query = make(f"{{{MAM}}}query", form, page, queryid=new_id())
    return make("iq", query, type_="set", id_=new_id(), from_=str(session), to_=str(at or session.bare))


def read_page(iq: Element, answer: Element, results: Sequence[Element]) -> ServerPage:
    """The page that a query got. Raises ItemNotFound for an unknown id, GatewayError: no-archive, server-refused."""
    if answer.get("type") != "result":
        raise _refused(answer)
    fin = answer.find(_FIN)
    if fin is None:
        raise GatewayError("no-archive")
    most = int(iq.findtext(f"{{{MAM}}}query/{_SET}/{{{RSM}}}max", ""))
    items = [kept for result in results[:most] if (kept := read_result(result)) is not None]
    bounds = fin.find(_SET)
    first, last = ("", "") if bounds is None else (bounds.findtext(f"{{{RSM}}}{name}", "").strip() for name in ("first", "last"))
    return ServerPage(
        items,
        fin.get("complete") in ("true", "1") or not results,
        first or (items[0].id if items else ""),
        last or (items[-1].id if items else ""),
    )


def read_result(message: Element) -> ArchivedMessage | None:
    """The archived message that a message carries as a result; None if it cannot be read."""
    result = message.find(_RESULT)
    forwarded = result.find(_FORWARDED) if result is not None else None
    if result is None or forwarded is None:
        return None
    stanza, delay, identifier = forwarded.find("message"), forwarded.find(_STAMP), result.get("id", "")
    if stanza is None or delay is None or not identifier:
        return None
    try:
        return ArchivedMessage(identifier, parse_datetime(delay.get("stamp", "")), stanza)
    except ValueError:
        return None


def _refused(answer: Element) -> Exception:
    error = condition_of(answer)
    if error.condition == "item-not-found":
        return ItemNotFound("the archive has no item of this id")
    if error.condition in NO_ARCHIVE and error.type != "wait":
        return GatewayError("no-archive")
    return server_refused(error, "The archive has refused the query")
