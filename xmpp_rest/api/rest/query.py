"""`/rest/{kind}/{type}/{to}` and `/rest/{query}/{to}`: what does the path say? (spec rest-api §4, §5)"""

from __future__ import annotations

import re
from typing import NoReturn

from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.send import Send

_PATH = re.compile(r"[mpi][A-Za-z0-9]*/[A-Za-z0-9_-]+/.*", re.DOTALL)


class Query(Send):
    """A stanza whose kind, type and recipient stand in the path; an XML body speaks for itself, and the path is passed over."""

    def from_body(self) -> bool:
        if not _PATH.fullmatch(self.args["path"]):
            self._invalid_path()
        return super().from_body()

    def to_reply(self) -> NoReturn:
        self._invalid_path()

    def _invalid_path(self) -> NoReturn:
        self.fail(failure("parse", error="invalid-path"))
