"""The web service behind a callback: records requests, answers by a function, and to OPTIONS as told. On a free loopback port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.callback import Answer, Callback, Request

__all__ = ["Answer", "Request", "Service", "serving"]


class Service(Callback):
    """`options` answers OPTIONS; paths are answered by `answers`."""

    def __init__(self) -> None:
        super().__init__()
        self.options = Answer(200)

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        return answer if request.method == "POST" else self.options


@contextmanager
def serving() -> Iterator[Service]:
    """A service that answers as long as the context lasts."""
    service = Service()
    service.start()
    try:
        yield service
    finally:
        service.stop()
