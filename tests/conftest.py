"""Fixtures of most tests: a gateway on its own data, and a client that talks HTTP to it."""

from __future__ import annotations

import base64
import gc
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

import drivers
from drivers import Driver
from xmpp_rest.application import build
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.record import Record
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.logs.lines import TextLines
from xmpp_rest.request_notes import CURRENT

DOMAIN = "capulet.example"
PASSWORD = "R0m30-forever"
TOKEN = "Bearer hand-in-glove"
USERS = ("juliet", "nurse")

MakeApp = Callable[..., Flask]
OpenDriver = Callable[[str, Path], Driver]


def pytest_configure() -> None:
    """Collects cycles less often than Python would: a tenth of the processor time of the suite."""
    gc.set_threshold(100_000, 20, 20)


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two on each processor, as half of the time of a test is waiting for disks, sockets and other processes."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged may have surrogates, which pytest-xdist cannot send to the process that reports."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    """The Authorization field of RFC 7617."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture(autouse=True)
def _whole_lines(caplog: pytest.LogCaptureFixture) -> None:
    """`caplog.text` is what the gateway would write, with all fields; no request of an earlier test is at hand."""
    CURRENT.set(None)
    caplog.handler.setFormatter(TextLines())


@pytest.fixture
def open_driver() -> Iterator[OpenDriver]:
    """Opens storages as `drivers.open_driver` does, and closes them when the test is over."""
    with ExitStack() as stack:
        yield lambda url, base: stack.enter_context(closing(drivers.open_driver(url, base)))


def build_app(folder: Path, **given: str) -> Flask:
    """An application standing alone at DOMAIN, on the data in `folder`; keywords are settings, `rest_iq_timeout="1"`."""
    values = {"gateway_domain": DOMAIN, "auth_admin_password": PASSWORD, "auth_iterations": "4096", "rest_credentials": TOKEN}
    values |= {"server_data_dir": str(folder)} | given
    return build(load_settings(None, {f"XMPP_REST_{k.upper()}": v for k, v in values.items()}))


@cache
def record_of(user: str, hash_name: str, iterations: int) -> Record:
    """The record of an account with PASSWORD, made once: 2 ms of processor time."""
    return Passwords(hash_name, iterations).record(PASSWORD)


def register_users(app: Flask) -> Flask:
    """Makes the accounts of USERS, all with PASSWORD."""
    gateway: Gateway = app.extensions["gateway"]
    settings = gateway.settings.auth
    for user in USERS:
        gateway.parts.accounts.replace(user, dict(record_of(user, settings.password_hash, settings.iterations)), _is_new)
    return app


def _is_new(old: object) -> None:
    assert old is None


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One application, with the accounts of USERS, for all tests of a module that change nothing in it: to build one costs more than to ask it."""
    app = register_users(build_app(tmp_path_factory.mktemp("shared"), auth_failures="100000"))
    yield app
    app.extensions["gateway"].stop()


SHARED = pytest.mark.usefixtures("shared_app")
"""A test with many cases that leaves the application as it was, so that one is enough for all: each costs 30 ms of processor time."""


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    """Builds applications as `build_app` does, each on data of its own, and stops them when the test is over."""
    built: list[Flask] = []

    def make(**given: str) -> Flask:
        built.append(build_app(tmp_path / f"data{len(built)}", **given))
        return built[-1]

    yield make
    for app in reversed(built):
        app.extensions["gateway"].stop()


@pytest.fixture
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    """The application with the accounts of USERS, all with PASSWORD; for a test that is SHARED, that of its module."""
    if "shared_app" in request.fixturenames:
        shared: Flask = request.getfixturevalue("shared_app")
        return shared
    return register_users(make_app())


@pytest.fixture
def gateway(app: Flask) -> Gateway:
    gateway: Gateway = app.extensions["gateway"]
    return gateway


@pytest.fixture
def pair_settings() -> dict[str, str]:
    """Settings of `pair`, for modules that need other ones."""
    return {}


@pytest.fixture
def pair(make_app: MakeApp, tmp_path: Path, pair_settings: dict[str, str]) -> tuple[Gateway, Gateway]:
    """Two gateways on the same data, as two processes are: the leader, and its follower. With the accounts of USERS."""
    apps = tuple(make_app(server_data_dir=str(tmp_path / "shared"), **pair_settings) for _ in range(2))
    register_users(apps[0])
    leader, follower = (app.extensions["gateway"] for app in apps)
    leader.start()
    follower.start()
    return leader, follower


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
