"""The archives of accounts of other servers, page by page (accounts-anywhere §7.3, §7.4; XEP-0313)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xmpp_rest.link.router import Router
from xmpp_rest.processes.group import End
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter
from xmpp_rest.service.sessions.refused import answered_in_time
from xmpp_rest.service.sessions.server_query import ServerPage, archive_query, read_page
from xmpp_rest.threads.waits import Wait, Waits

SECONDS = 30.0  # that one query may take
PATIENCE = Wait(SECONDS)
OnPage = Callable[[ServerPage | Exception], None]
"""Gets the page, or why there is none, once. It does not wait."""


class ServerArchive:
    """Asks for pages. `session`: the address of an account, with or without the resource of its session, by which is asked.

    Whether the server has an archive is not looked at before (`ServerFeatures` knows): one that has none refuses.
    """

    def __init__(self, router: Router, waits: Waits) -> None:
        """Any process may ask."""
        self._router = router
        self._waits = waits

    def page(
        self, session: JID, wanted: ArchiveFilter, limit: int, *, newest: bool = False, wait: Wait = PATIENCE, at: JID | None = None
    ) -> ServerPage:
        """The oldest, or the `newest`, items that match, at most `limit` and MOST_ASKED of them.

        `wanted`: as `archive_query` says: `partner` is asked for by its bare address, and ids count on one side of the page only.
        `at`: whose archive it is, such as a room's; None: the account's own.
        Raises ItemNotFound where the server does not know the id that it is to page by (not all of them say so), and GatewayError:
        no-archive, server-refused, server-silent, waits-full, and those of `Router.ask`.
        """
        iq = archive_query(session, wanted, limit, newest=newest, at=at)
        with answered_in_time(session.domain), self._waits.holding(str(session.bare)):
            answer, results = self._router.ask(iq, wait)
        return read_page(iq, answer, results)

    def begin_page(
        self, done: OnPage, session: JID, wanted: ArchiveFilter, limit: int, *, newest: bool = False, seconds: float = SECONDS
    ) -> End:
        """As `page`, without waiting, and not counted among the account's waits; in the leader. What is returned ends the wait.

        Raises GatewayError, as `Router.begin_ask` does; then `done` is not called.
        """
        iq = archive_query(session, wanted, limit, newest=newest)

        def answered(outcome: Any) -> None:
            try:
                page: ServerPage | Exception = outcome if isinstance(outcome, Exception) else read_page(iq, *outcome)
            except Exception as e:
                page = e
            done(page)

        return self._router.begin_ask(answered, iq, Wait(seconds))

    def newest(self, session: JID, *, wait: Wait = PATIENCE) -> ArchivedMessage | None:
        """The item that came last; None in an empty archive. Raises as `page`."""
        items = self.page(session, ArchiveFilter(), 1, newest=True, wait=wait).items
        return items[-1] if items else None
