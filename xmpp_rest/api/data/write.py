"""Writes to a store: replaces it, adds to it, removes it (data-api §1.5, §1.6)."""

from __future__ import annotations

from typing import NoReturn

from werkzeug.exceptions import RequestEntityTooLarge

from drivers import Value
from xmpp_rest.api.data.conditions import CONDITIONS, MalformedTags, conditions_of, failing
from xmpp_rest.api.data.formats import BY_MEDIA_TYPE, UnreadableBody
from xmpp_rest.api.data.path import url_path
from xmpp_rest.api.data.store import StoreResource
from xmpp_rest.http.request import BadCoding, read_body
from xmpp_rest.protocol.codecs import media_type
from xmpp_rest.service.accounts.data import Check

MAX_LOCATION = 2048  # characters: a longer one, of a name of many bytes, is left out, for a proxy takes so many fields only


class WriteResource(StoreResource):
    """PUT, POST and DELETE."""

    field_readers = {"Content-Type": media_type}  # parameters are ignored, however they are written
    ignored_fields = StoreResource.ignored_fields | CONDITIONS.keys()  # evaluated where no other write can come between
    always_creates = frozenset({"PUT", "POST"})  # COMPAT mod_data_access: 201, whether there was something or not

    def valid_content_headers(self) -> bool:
        """COMPAT mod_data_access: 400, where RFC 9110 §15.5.16 has 415."""
        if self.request.method != "DELETE" and self._sent_as() not in BY_MEDIA_TYPE:
            self.refuse(400, f"Content-Type must be one of {', '.join(BY_MEDIA_TYPE)}")
        if self.request.method == "PUT" and "HTTP_CONTENT_RANGE" in self.request.environ:
            self.refuse(400, "A store is replaced as a whole; leave Content-Range out")  # RFC 9110 §14.5
        return True

    def _sent_as(self) -> str:
        return media_type(self.request.environ.get("CONTENT_TYPE"))

    @property
    def _limit(self) -> int:
        settings = self.gateway.settings
        return min(settings.data.size_limit, settings.server.body_limit)

    def valid_entity_length(self) -> bool:
        if (self.request.content_length or 0) > self._limit:
            self._too_large()
        return True

    def _too_large(self) -> NoReturn:
        self.refuse(413, f"The body has more than {self._limit} bytes")

    def content_types_accepted(self) -> list[tuple[str, str]]:
        return [(t, "from_body") for t in BY_MEDIA_TYPE]

    def from_body(self) -> bool:
        """Keep the body: a PUT as the table of the store, a POST as a new item of its list."""
        body = self._body()
        value, key = self._value(body), self.data_path.key
        check = self._check()
        with self.writing():
            if self.request.method == "POST":
                self.data.append(key, value, len(body), check)
            else:
                self.data.replace(key, value, len(body), check)
        if len(location := self.url(url_path(key))) <= MAX_LOCATION:
            self.set_field("Location", location)
        return True

    def delete_resource(self) -> bool:
        check = self._check()
        with self.writing():
            self.data.remove(self.data_path.key, check)
        return True

    def _value(self, body: bytes) -> Value:
        if not body:
            self.refuse(400, "The body is empty")
        try:
            value = BY_MEDIA_TYPE[self._sent_as()].read(body)
        except UnreadableBody as e:
            self.refuse(400, str(e))
        if value is False:  # COMPAT mod_data_access
            self.refuse(400, "The body is false, which cannot be kept")
        if self.request.method == "PUT" and not (value is None or isinstance(value, (dict, list))):
            self.refuse(400, "A store holds an object or an array; POST adds any other value to its list")
        return value

    def _body(self) -> bytes:
        """What was sent, of whose length Content-Length may have said nothing (RFC 9112 §6)."""
        try:
            return read_body(self.request, self._limit)
        except RequestEntityTooLarge:
            self._too_large()
        except BadCoding as e:
            self.refuse(400, str(e.description))

    def _check(self) -> Check | None:
        """None without conditions: then there is nothing to read before the write."""
        conditions = conditions_of(self.request.environ)
        if not conditions:
            return None
        try:
            failing_of = failing(conditions)
        except MalformedTags as e:
            self.refuse(400, f'{e} is not a list of entity tags; write "TAG", or *')

        def check(content: Value | None) -> None:
            if name := failing_of(content):
                self.refuse(412, f"{name} does not hold for what is in the store now; nothing was changed")

        return check
