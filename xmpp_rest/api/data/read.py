"""Reads a store, in a format and as a whole or in part (data-api §1.4)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from drivers import Value
from xmpp_rest.api.data import items
from xmpp_rest.api.data.formats import BY_MEDIA_TYPE, FORMATS, BodyFormat, entity_tag, is_small
from xmpp_rest.api.data.store import StoreResource
from xmpp_rest.http.choice import choose_type
from xmpp_rest.http.fields import Malformed

SHORT = 16  # items of a list that a HEAD reads; of a longer one it tells no more than that there is one (RFC 9110 §9.3.2)
OFFERS = tuple((*form.type, "*") for form in FORMATS.values())


class ReadResource(StoreResource):
    """GET and HEAD."""

    @cached_property
    def form(self) -> BodyFormat:
        """The format in the path; else the one that Accept prefers, if it names that; else JSON."""
        name = self.data_path.format
        if name:
            if name not in FORMATS:
                self.refuse(404, f"There is no format {name!r}; write one of {', '.join(FORMATS)}")
            return FORMATS[name]
        accept = self.request.environ.get("HTTP_ACCEPT", "")
        try:
            chosen = choose_type(OFFERS, accept, None)
        except Malformed:
            chosen = None
        named = chosen is not None and chosen.entry.essence in accept.lower()
        return BY_MEDIA_TYPE[chosen.entry.essence] if chosen and named else FORMATS["json"]

    def content_types_provided(self) -> list[tuple[tuple[str, str, list[tuple[str, str]]], str]]:
        return [((*self.form.type, [("charset", "utf-8")]), "representation")]

    def variances(self) -> list[str]:
        return [] if self.data_path.format else ["Accept"]

    @cached_property
    def content(self) -> Value | items.ArraySlice | None:
        """What the store shows; of an array the part that is asked for, if that can be read without the rest."""
        with self.reading():
            table = self.data.table(self.data_path.key)
            found = self._items() if table is None else table
        return items.ArraySlice(found, 0, len(found)) if isinstance(found, list) else found

    def _items(self) -> list[Value] | items.ArraySlice | None:
        if self.request.method == "HEAD" and not self._is_compared:
            found = self.data.items(self.data_path.key, 0, SHORT + 1)
            return items.ArraySlice(found, 0) if found and len(found) > SHORT else found  # of a long list it is known that it is there
        wanted = items.window(self.request.environ) if self.request.method == "GET" else None
        if wanted is not None:
            stop = None if wanted.length is None else wanted.start + wanted.length + 1
            found = self.data.items(self.data_path.key, wanted.start, stop)
            if found:
                return items.taken(wanted, found)
        return self.data.items(self.data_path.key)

    @property
    def _is_compared(self) -> bool:
        """Whether a condition has to be judged, for which the entity tag must be known."""
        return not self.request.environ.keys().isdisjoint(items.COMPARED)

    def resource_exists(self) -> bool:
        if self.content is None:
            host, user, store = self.data_path.key
            self.problem["detail"] = f"The store {store!r} of {user}@{host} is empty, or there is no such account"
        return self.content is not None

    def ranges_provided(self) -> list[tuple[str, str]] | None:
        return [(items.UNIT, "parts")] if isinstance(self.content, items.ArraySlice) else None

    @cached_property
    def _is_unknown(self) -> bool:
        """Whether the whole representation is left alone: it was not read, or writing it for a HEAD would cost more than the look did."""
        content = self.content
        if isinstance(content, items.ArraySlice) and not content.is_all:
            return True
        value = content.values if isinstance(content, items.ArraySlice) else content
        return self.request.method == "HEAD" and not self._is_compared and not is_small(value)

    def generate_etag(self) -> str | None:
        return None if self._is_unknown else entity_tag(self._body)

    @cached_property
    def _body(self) -> bytes:
        return self._write(self.content.values if isinstance(self.content, items.ArraySlice) else self.content)

    def _write(self, value: Value) -> bytes:
        with self.reading():
            return self.form.write(value)

    def representation(self) -> bytes | Iterator[bytes]:
        """For the HEAD of something large a stream of unknown length, which is not sent."""
        return iter(()) if self._is_unknown and self.request.method == "HEAD" else self._body

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        assert self.range is not None
        assert isinstance(self.content, items.ArraySlice)
        return items.spans(self.content, items.asked(f"{items.UNIT}={self.range[1]}"))

    def range_satisfiable(self) -> int | bool:
        assert isinstance(self.content, items.ArraySlice)
        return bool(self._spans) or (self.content.total or False)

    def parts(self) -> list[tuple[tuple[int, int, int | None], bytes]]:
        """The ranges that were asked for, each as an array of its own."""
        content = self.content
        assert isinstance(content, items.ArraySlice)
        return [((first, last, content.total), self._write(content.cut(first, last))) for first, last in self._spans]
