"""gunicorn's own workers log nothing that a client has sent but the path."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator

import pytest
from gunicorn.workers.base import Worker

from xmpp_rest.config.load import load_settings
from xmpp_rest.logs.lines import TextLines
from xmpp_rest.logs.server_lines import FAILED, GUNICORN, REFUSED
from xmpp_rest.logs.setup import set_up

SECRET = "s3cr3t"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    log = logging.getLogger(GUNICORN)
    set_up(load_settings(None, {}).server)
    caplog.set_level(logging.DEBUG, GUNICORN)
    log.addHandler(caplog.handler)
    yield log
    log.removeHandler(caplog.handler)


def said(caplog: pytest.LogCaptureFixture) -> set[str]:
    return {TextLines().format(record).partition(" xmpp_rest.server ")[2] for record in caplog.records}


@pytest.mark.parametrize("wrong", [f"Invalid HTTP request line: 'GET /?token={SECRET} x'", f"Invalid HTTP Header: 'Authorization: {SECRET}'"])
@pytest.mark.parametrize("address", ["192.0.2.7", "::1"])
def test_what_is_refused(log: logging.Logger, caplog: pytest.LogCaptureFixture, address: str, wrong: str) -> None:
    log.warning(f"Invalid request from ip={address}: {wrong}")
    assert said(caplog) == {f"Invalid request from ip={address}"}


def test_what_fails(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.error("Error handling request %s", f"/a?token={SECRET}")
    assert said(caplog) == {"Error handling request /a"}


def test_the_beginning_of_a_request_is_not_told_twice(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.debug("%s %s", "CONNECT", f"u:{SECRET}@x:1")
    log.debug("Closing connection. ")
    assert said(caplog) == {"Closing connection. "}


def test_these_are_lines_of_gunicorn() -> None:
    source = inspect.getsource(Worker.handle_error)
    assert REFUSED in source
    assert FAILED in source
