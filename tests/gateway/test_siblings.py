"""Does what the owner has put aside for a peer come to an end, even that of the process?"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from xmpp_rest.gateway import siblings
from xmpp_rest.gateway.siblings import Siblings
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.threads.waits import Waits


class Blank:
    """Stands for what is not asked anything."""


def test_what_no_thread_has_begun_when_the_process_stops_is_done_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise those who queue behind it for their turn would wait forever."""
    monkeypatch.setattr(siblings, "ASIDE", 1)
    place = Siblings(tmp_path, Router(frozenset(), Pending(1)), cast(Any, Blank()), cast(Any, Blank()), Waits(4), lambda _: None, {})
    begun, gate, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(10)

    place._put_aside(work)
    assert begun.wait(10)
    place._put_aside(done.set)
    place.stop()
    assert done.is_set()
    gate.set()
