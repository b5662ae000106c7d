"""Which representation will the response be? (steps N1 to N6, RFC 9110 §12)

Each step answers with the status that ends the request, or 0 to go on.
"""

from __future__ import annotations

from functools import lru_cache

from .choice import Charsets, Selection, choose_charset, choose_language, choose_type, needs_charsets
from .exchange import Exchange
from .fields import CACHE_SIZE, Malformed
from .media import MediaType, quote, read_types, types_of

DEFAULT_TYPES = ((("text", "html", "*"), "to_html"),)


def negotiate(x: Exchange) -> int:
    """N1 to N6; 0 when there is a representation to send."""
    status = content_types_provided(x) or languages_provided(x) or charsets_provided(x)
    if not status:
        content_type(x)
        ranges_provided(x)
        variances(x)
    return status


def content_types_provided(x: Exchange) -> int:
    """N1 against Accept, RFC 9110 §12.5.1."""
    provided = x.ask("content_types_provided", DEFAULT_TYPES)
    frozen = types_of(provided)
    types = read_types(frozen)
    if not types:
        return 406
    try:
        selection = _select(x, frozen)
    except Malformed:
        return 400
    if selection is None:
        return 406
    if len(types) > 1:
        x.varies.append("Accept")
    _settle(x, types[selection.entry], selection)
    x.chosen = provided[selection.entry][1]
    return 0


def _select(x: Exchange, frozen: tuple[object, ...]) -> Selection | None:
    accept = x.environ.get("HTTP_ACCEPT", "")
    asks = "charset" in accept.lower() and needs_charsets(frozen, accept)
    return choose_type(frozen, accept, _provided_charsets(x) if asks else None)


def _settle(x: Exchange, entry: MediaType, selection: Selection) -> None:
    resource = x.resource
    resource.media_type = entry.essence
    resource.media_params = dict(selection.params)
    resource.charset = selection.charset
    x.entry = entry
    if selection.from_client:
        _charset_varies(x)


def _provided_charsets(x: Exchange) -> Charsets | None:
    names = x.ask_once("charsets_provided")
    return None if names is None else tuple(names)


def _charset_varies(x: Exchange) -> None:
    if len(x.ask_once("charsets_provided")) > 1:
        x.varies.append("Accept-Charset")


def languages_provided(x: Exchange) -> int:
    """N2 against Accept-Language, RFC 9110 §12.5.4."""
    tags = x.ask("languages_provided", None)
    if tags is None:
        return 0
    if not tags:
        return 406
    try:
        language = choose_language(tuple(tags), x.environ.get("HTTP_ACCEPT_LANGUAGE", ""))
    except Malformed:
        return 400
    if language is None:
        return 406
    x.resource.language = language
    x.fields["Content-Language"] = language
    if len(tags) > 1:
        x.varies.append("Accept-Language")
    return 0


def charsets_provided(x: Exchange) -> int:
    """N3 against Accept-Charset, RFC 9110 §12.5.2, unless the media type settled the charset."""
    if x.resource.charset is not None:
        return 0
    names = _provided_charsets(x)
    if names is None:
        return 0
    if not names:
        return 406
    try:
        x.resource.charset = choose_charset(names, x.environ.get("HTTP_ACCEPT_CHARSET", ""))
    except Malformed:
        return 400
    if x.resource.charset is None:
        return 406
    _charset_varies(x)
    return 0


def content_type(x: Exchange) -> None:
    """N4, RFC 9110 §8.3: an entry's own charset is among its parameters already."""
    x.fields["Content-Type"] = _written(x.entry, x.resource.charset)


@lru_cache(maxsize=CACHE_SIZE)
def _written(entry: MediaType, charset: str | None) -> str:
    written = str(entry)
    names_charset = any(name == "charset" for name, _ in entry.own_params)
    if charset is None or entry.type != "text" or names_charset:
        return written
    return f"{written}; charset={quote(charset)}"


def ranges_provided(x: Exchange) -> None:
    """N5, RFC 9110 §14.3."""
    provided = x.ask("ranges_provided", None)
    if provided is None:
        return
    x.units = {unit.lower(): callback for unit, callback in provided}
    x.fields["Accept-Ranges"] = ", ".join([unit for unit, _ in provided]) or "none"


def variances(x: Exchange) -> None:
    """N6, RFC 9110 §12.5.5; what a callback put into Vary by itself stays."""
    names = [*x.varies, *x.ask("variances", ())]
    if not names:
        return
    names += [name.strip() for field in x.fields.getlist("Vary") for name in field.split(",")]
    distinct = {name.lower(): name for name in reversed(names) if name}
    x.fields["Vary"] = "*" if "*" in distinct else ", ".join(reversed(distinct.values()))
