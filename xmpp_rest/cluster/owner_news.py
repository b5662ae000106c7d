"""OwnerNews: who owns, for all that this node knows, told whenever that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from xmpp_rest.cluster.owner import LeaseOwner


class OwnerNews:
    """Used by any thread."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._telling = threading.Lock()  # guards the next line
        self.owner: LeaseOwner | None = None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever another owns, or nobody."""
        self._listeners.append(listener)

    def tell(self, owner: Callable[[], LeaseOwner | None]) -> None:
        """Tell the listeners if another one owns than before."""
        with self._telling:
            before, self.owner = self.owner, owner()
            if self.owner == before:
                return
        for listener in self._listeners:
            listener()
