"""Fixtures that run a command line as a process, with its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway

ROOT = Path(__file__).parent.parent.parent


class Ran(NamedTuple):
    code: int
    out: str
    err: str = ""


Ctl = Callable[..., Ran]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "wsgi.ini"
    path.write_text(f"[gateway]\ndomain = {DOMAIN}\n[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n")
    return path


@pytest.fixture
def gateway(config: Path) -> Iterator[Gateway]:
    """The gateway of the same configuration, running in this process."""
    app = build(load_settings(config, {}))
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    yield gateway
    gateway.stop()


def make_storage(config: Path) -> None:
    """Make the storage of the configuration, as a gateway does that has ended."""
    gateway = Gateway(load_settings(config, {}))
    try:
        gateway.prepare()
    finally:
        gateway.stop()


@pytest.fixture
def storage(config: Path) -> None:
    """The storage of the configuration."""
    make_storage(config)


def process(module: str, config: Path, words: tuple[str, ...], stdin: str = "") -> Ran:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("XMPP_REST_")} | {"XMPP_REST_CONFIG": str(config)}
    ran = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, env=environ, input=stdin, capture_output=True, text=True, timeout=60)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def ctl(config: Path) -> Ctl:
    """Runs `xmpp-restctl WORDS`."""
    return lambda *words: process("xmpp_rest.cli", config, words)


@pytest.fixture
def xmpp_rest(config: Path) -> Ctl:
    """Runs `xmpp-rest WORDS`."""
    return lambda *words, stdin="": process("xmpp_rest", config, words, stdin)
