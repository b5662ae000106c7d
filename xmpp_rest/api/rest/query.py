"""`/rest/{kind}/{type}/{to}` and `/rest/{query}/{to}`: stanzas and queries by path (rest-api §4, §5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.api.detail import did_you_mean
from xmpp_rest.api.rest.addressing import Addressed
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.idempotent import Answer
from xmpp_rest.api.rest.send import Send
from xmpp_rest.protocol.codecs import CODECS, nothing_at, query_at
from xmpp_rest.protocol.path import QUERIES, BadPath, StanzaPath, query_path, stanza_path

CHANGING = frozenset({"command"})  # the one query that a GET makes an iq of type set and that is not a mere search
FROM_PATH = (("*", "from_path"),)


class QueryResource(Send):
    """A stanza whose kind, type and recipient stand in the path, or an iq that a GET asks."""

    _named = ""  # the query that the path names

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        if not self.request.environ.get("CONTENT_TYPE"):
            return FROM_PATH
        return super().content_types_accepted()

    def changes(self) -> bool:
        """A GET that runs an ad-hoc command may do anything (XEP-0050 §4)."""
        return super().changes() or self.args["path"].partition("/")[0] in CHANGING

    def from_path(self) -> Answer:
        """Without a Content-Type and a body there is no payload: the path says it all."""
        if body := self.body():
            return self.process_untyped(body)
        if self.request.query_string:
            self.fail(failure("query", error=f"{self.request.query_string[:100].decode('ascii', 'replace')!r} would not be sent"))
        path = self._path(stanza_path)
        with self.refusing():
            addressed = self.addressed(nothing_at(path))
        return self.process(addressed)

    def read(self, kind: str, body: bytes) -> Element:
        codec = CODECS[kind]
        return codec.read_at(body, self._path(stanza_path)) if codec.read_at else codec.read(body)

    def to_reply(self) -> None:
        """A GET: the query in the path, its arguments in the query string."""
        path = self._path(query_path)
        query = self.request.query_string.decode("ascii", "replace")
        with self.refusing():
            addressed = self.addressed(query_at(query, path))
        self.process(addressed)

    def process(self, addressed: Addressed) -> Answer:
        if self._named and self._named not in QUERIES and not len(addressed.stanza):
            remedy = f"write one of {', '.join(sorted(QUERIES))}"
            error = f"there is no query {self._named[:100]!r}{did_you_mean(self._named, QUERIES)}"
            self.fail(failure("iq_tags", error=error, remedy=remedy))
        return super().process(addressed)

    def _path(self, split: Callable[[str], StanzaPath]) -> StanzaPath:
        try:
            path = split(self.args["path"])
        except BadPath as e:
            self.fail(failure("parse", error=e.reason, remedy=str(e)))
        self._named = path.query
        return path
