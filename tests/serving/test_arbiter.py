"""A worker that is told to stop in the moment of its fork stops, though it has no handlers of its own yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.child import LOOPBACK, free_port

SCRIPT = """
import logging, os, signal, sys
from flask import Flask
from xmpp_rest.config.load import load_settings
from xmpp_rest.serving.server import Server

logging.basicConfig(level="INFO")
sent = signal.Signals[sys.argv[1]]
told = []  # in the first worker


def before_fork():
    if sent not in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        print("what comes before the worker has run at all is lost", flush=True)


def after_fork():
    if not os.path.exists("first"):
        open("first", "w").close()
        told.append(True)
        os.kill(os.getpid(), sent)


def start(app, parent):
    print("begun, although told to stop" if told else "begun", flush=True)
    parent.end_all()


os.register_at_fork(before=before_fork, after_in_child=after_fork)
Server(load_settings(None, os.environ), lambda settings, is_first: Flask("one"), start, lambda app: None, None).run()
"""


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGQUIT"])
@pytest.mark.parametrize("worker_class", ["xmpp_rest.serving.worker.Worker", "gthread", "sync"])
def test_a_worker_told_to_stop_as_it_is_forked(tmp_path: Path, worker_class: str, signal: str) -> None:
    """The first worker ends without a start; the one in its place starts, and ends the server."""
    settings = {"BIND": f"{LOOPBACK}:{free_port()}", "WORKERS": "1", "WORKER_CLASS": worker_class}
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), **{f"XMPP_REST_SERVER_{name}": value for name, value in settings.items()}}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, signal], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout == "begun\n", ran.stderr
    assert ran.stderr.count("Booting worker") == 2
    assert "Traceback" not in ran.stderr
