"""Negotiation: chooses the representation of the response (steps N1 to N6, RFC 9110 §12).

Each step answers with the status that ends the request, or 0 to go on.
"""

from __future__ import annotations

from collections.abc import Sized
from functools import lru_cache

from .callbacks import Step
from .choice import Charsets, Selection, choose_charset, choose_language, choose_type, needs_charsets
from .fields import CACHE_SIZE, Malformed
from .media import MediaType, quote, types_of
from .state import RequestState

DEFAULT_TYPES = ((("text", "html", "*"), "to_html"),)


def content_types_provided(state: RequestState) -> int:
    """N1 against Accept, RFC 9110 §12.5.1."""
    provided = state.ask("content_types_provided", DEFAULT_TYPES)
    frozen = types_of(provided)
    if not frozen:
        return 406
    try:
        selection = _select(state, frozen)
    except Malformed:
        return 400
    if selection is None:
        return 406
    if len(frozen) > 1:
        state.varies = ("Accept",)
    _settle(state, selection)
    state.chosen = provided[selection.position][1]
    return 0


def _select(state: RequestState, frozen: tuple[object, ...]) -> Selection | None:
    accept = state.environ.get("HTTP_ACCEPT")
    if not accept or accept == "*/*":
        return choose_type(frozen, "", None)
    asks = "charset" in accept.lower() and needs_charsets(frozen, accept)
    return choose_type(frozen, accept, _provided_charsets(state) if asks else None)


def _settle(state: RequestState, selection: Selection) -> None:
    state.selection = selection
    resource = state.resource
    resource.media_type = selection.entry.essence
    resource.charset = selection.charset
    if selection.params:
        resource.media_params = dict(selection.params)


def _provided_charsets(state: RequestState) -> Charsets | None:
    names: Charsets | None = state.ask_once("charsets_provided", lambda names: names if names is None else tuple(names))
    return names


def _varies(state: RequestState, name: str, offers: Sized) -> None:
    if len(offers) > 1:
        state.varies += (name,)


def languages_provided(state: RequestState) -> int:
    """N2 against Accept-Language, RFC 9110 §12.5.4."""
    tags = state.ask("languages_provided", None)
    if tags is None:
        return 0
    if not tags:
        return 406
    try:
        language = choose_language(tuple(tags), state.environ.get("HTTP_ACCEPT_LANGUAGE", ""))
    except Malformed:
        return 400
    if language is None:
        return 406
    state.resource.language = language
    state.builder.set_field("Content-Language", language)
    _varies(state, "Accept-Language", tags)
    return 0


def charsets_provided(state: RequestState) -> int:
    """N3 against Accept-Charset, RFC 9110 §12.5.2, unless the media type settled the charset."""
    if state.selection.charset is not None and not state.selection.from_client:
        return 0
    names = _provided_charsets(state)
    if names is None:
        return 0
    if not names:
        return 406
    _varies(state, "Accept-Charset", names)
    return 0 if state.selection.from_client else _accept_charset(state, names)


def _accept_charset(state: RequestState, names: Charsets) -> int:
    try:
        state.resource.charset = choose_charset(names, state.environ.get("HTTP_ACCEPT_CHARSET", ""))
    except Malformed:
        return 400
    return 406 if state.resource.charset is None else 0


def content_type(state: RequestState) -> int:
    """N4, RFC 9110 §8.3."""
    state.builder.set_field("Content-Type", _write_type(state.selection.entry, state.resource.charset))
    return 0


@lru_cache(maxsize=CACHE_SIZE)
def _write_type(entry: MediaType, charset: str | None) -> str:
    """An entry's own charset is among its parameters already; only text shows another one."""
    own = any(name == "charset" for name, _ in entry.own_params)
    if charset is None or own or entry.type != "text":
        return str(entry)
    return f"{entry}; charset={quote(charset)}"


def ranges_provided(state: RequestState) -> int:
    """N5, RFC 9110 §14.3."""
    provided = state.ask("ranges_provided", None)
    if provided is not None:
        state.units = {unit.lower(): callback for unit, callback in provided}
        state.builder.set_field("Accept-Ranges", ", ".join([unit for unit, _ in provided]) or "none")
    return 0


def variances(state: RequestState) -> int:
    """N6, RFC 9110 §12.5.5; what a callback put into Vary by itself stays."""
    if state.varies or "variances" in state.callbacks.defined:
        names = [*state.varies, *state.ask("variances", ())]
        if names:
            state.builder.set_field("Vary", _merged([*names, *_written_names(state)]))
    return 0


def _written_names(state: RequestState) -> list[str]:
    if state.builder.touched is None:  # only a callback writes the field before this step
        return []
    fields = [value for name, value in state.builder.fields() if name.lower() == "vary"]
    return [name for value in fields for each in value.split(",") if (name := each.strip(" \t"))]


def _merged(names: list[str]) -> str:
    distinct: dict[str, str] = {}
    for name in names:
        distinct.setdefault(name.lower(), name)
    return "*" if "*" in distinct else ", ".join(distinct.values())


STEPS = (
    Step(content_types_provided, always=True),
    Step(languages_provided),
    Step(charsets_provided),
    Step(content_type, always=True),
    Step(ranges_provided),
    Step(variances, always=True),
)
