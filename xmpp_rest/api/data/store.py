"""`/data/{host}/{user}/{store}/{format}`: how is a store read, replaced, added to, removed? (spec data-api §1.4 to §1.6)"""

from __future__ import annotations

from functools import cached_property

from drivers import Value
from xmpp_rest.api.data import items
from xmpp_rest.api.data.conditions import MalformedTags, failing, take_conditions
from xmpp_rest.api.data.formats import BY_MEDIA_TYPE, FORMATS, Format, Unreadable, entity_tag
from xmpp_rest.api.data.path import Named, read_path, url_path
from xmpp_rest.api.data.resource import DataResource
from xmpp_rest.auth.credentials import Caller
from xmpp_rest.http.choice import choose_type
from xmpp_rest.http.fields import Malformed
from xmpp_rest.protocol.codecs import media_type
from xmpp_rest.service.data import Check

WRITES = frozenset({"PUT", "POST"})
READS = frozenset({"GET", "HEAD"})
OFFERS = tuple((*form.type, "*") for form in FORMATS.values())


class Store(DataResource):
    """One store of one account."""

    named: Named
    conditions: dict[str, str]

    def init(self) -> None:
        super().init()
        # COMPAT mod_data_access: whatever Accept says, there is an answer; `form` looks at it
        self.accept = self.request.environ.pop("HTTP_ACCEPT", "")
        if self.request.method not in READS:
            self.conditions = take_conditions(self.request.environ)

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"]

    def allowed_to(self, caller: Caller) -> bool:
        named = read_path(self.args["path"], caller.jid)
        if named is None:
            self.refuse(404, "The path names no store; write /data/HOST/USER/STORE, and the store in letters and underscores")
        self.named = named
        with self.reading():
            return self.data.may(caller, named.place, change=self.request.method not in READS)

    def valid_content_headers(self) -> bool:
        """COMPAT mod_data_access: 400, where RFC 9110 §15.5.16 has 415."""
        if self.request.method in WRITES and self._sent_as() not in BY_MEDIA_TYPE:
            self.refuse(400, f"Content-Type must be one of {', '.join(BY_MEDIA_TYPE)}")
        if self.request.method == "PUT" and "HTTP_CONTENT_RANGE" in self.request.environ:
            self.refuse(400, "A store is replaced as a whole; leave Content-Range out")  # RFC 9110 §14.5
        self.request.environ["CONTENT_TYPE"] = self._sent_as()  # parameters count for nothing, however they are written
        return True

    def _sent_as(self) -> str:
        return media_type(self.request.environ.get("CONTENT_TYPE"))

    # -- the format of the answer

    @cached_property
    def form(self) -> Format:
        """The format in the path; else the one that Accept prefers, if it names one; else JSON."""
        name = self.named.format
        if name:
            if name not in FORMATS:
                self.refuse(404, f"There is no format {name!r}; write one of {', '.join(FORMATS)}")
            return FORMATS[name]
        try:
            chosen = choose_type(OFFERS, self.accept, None)
        except Malformed:
            chosen = None
        named = chosen is not None and chosen.entry.essence in self.accept.lower()
        return BY_MEDIA_TYPE[chosen.entry.essence] if chosen and named else FORMATS["json"]

    def content_types_provided(self) -> list[tuple[tuple[str, str, list[tuple[str, str]]], str]]:
        form = self.form if self.request.method in READS else FORMATS["json"]
        return [((*form.type, [("charset", "utf-8")]), "representation")]

    def variances(self) -> list[str]:
        return [] if self.named.format else ["Accept"]

    # -- reading

    @cached_property
    def content(self) -> Value | items.Items | None:
        """What the store shows; of an array the part that is asked for, if that can be read without the rest."""
        with self.reading():
            table = self.data.table(self.named.place)
            found = self._items() if table is None else table
        return items.Items(found, 0, len(found)) if isinstance(found, list) else found

    def _items(self) -> list[Value] | items.Items | None:
        wanted = items.window(self.request.environ) if self.request.method == "GET" else None
        if wanted is not None:
            stop = None if wanted.length is None else wanted.start + wanted.length + 1
            found = self.data.items(self.named.place, wanted.start, stop)
            if found:
                return items.taken(wanted, found)
        return self.data.items(self.named.place)

    def resource_exists(self) -> bool:
        """A PUT or POST always makes something (COMPAT mod_data_access: 201), and a DELETE always succeeds."""
        method = self.request.method
        return self.content is not None if method in READS else method not in WRITES

    def ranges_provided(self) -> list[tuple[str, str]] | None:
        reads_array = self.request.method in READS and isinstance(self.content, items.Items)
        return [(items.UNIT, "parts")] if reads_array else None

    def generate_etag(self) -> str | None:
        """None for a stretch that was read without the rest: a tag would cost as much as all of it."""
        return None if isinstance(self.content, items.Items) and self._is_stretch(self.content) else entity_tag(self._body)

    @staticmethod
    def _is_stretch(part: items.Items) -> bool:
        return part.first > 0 or part.total is None

    @cached_property
    def _body(self) -> bytes:
        content = self.content
        return self._write(content.values if isinstance(content, items.Items) else content)

    def _write(self, value: Value) -> bytes:
        with self.reading():
            return self.form.write(value)

    def representation(self) -> bytes:
        return self._body

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        unit_and_text = self.range
        assert unit_and_text is not None
        assert isinstance(self.content, items.Items)
        return items.spans(self.content, items.asked(f"{items.UNIT}={unit_and_text[1]}"))

    def range_satisfiable(self) -> int | bool:
        assert isinstance(self.content, items.Items)
        return bool(self._spans) or (self.content.total or False)

    def parts(self) -> list[tuple[tuple[int, int, int | None], bytes]]:
        """The ranges that were asked for, each as an array of its own."""
        content = self.content
        assert isinstance(content, items.Items)
        return [((first, last, content.total), self._write(content.cut(first, last))) for first, last in self._spans]

    # -- writing

    def content_types_accepted(self) -> list[tuple[str, str]]:
        return [(t, "from_body") for t in BY_MEDIA_TYPE]

    def from_body(self) -> bool:
        """Keep the body: a PUT as the table of the store, a POST as a new item of its list."""
        value, place = self._value(), self.named.place
        check = self._check()
        with self.writing():
            if self.request.method == "POST":
                self.data.append(place, value, check)
            else:
                self.data.replace(place, value, check)
        self.response.headers["Location"] = self.url(url_path(place))
        return True

    def _value(self) -> Value:
        body = self.request.get_data(cache=False)
        if not body:
            self.refuse(400, "The body is empty")
        try:
            value = BY_MEDIA_TYPE[self._sent_as()].read(body)
        except Unreadable as e:
            self.refuse(400, str(e))
        if value is False:  # COMPAT mod_data_access
            self.refuse(400, "The body is false, which cannot be kept")
        if self.request.method == "PUT" and not (value is None or isinstance(value, (dict, list))):
            self.refuse(400, "A store holds an object or an array; POST adds any other value to its list")
        return value

    def _check(self) -> Check | None:
        """None without conditions: then there is nothing to read before the write."""
        if not self.conditions:
            return None
        try:
            failing_of = failing(self.conditions)
        except MalformedTags as e:
            self.refuse(400, f'{e} is no list of entity tags; write "TAG", or *')

        def check(content: Value | None) -> None:
            if name := failing_of(content):
                self.refuse(412, f"{name} does not hold for what is in the store now; nothing was changed")

        return check

    def delete_resource(self) -> bool:
        check = self._check()
        with self.writing():
            self.data.remove(self.named.place, check)
        return True
