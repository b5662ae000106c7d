"""Runs `xmpp-rest` in this process, which is faster, and beside a gateway with HTTP."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from werkzeug.serving import make_server

from tests.cli.conftest import Ran
from tests.conftest import DOMAIN, PASSWORD, TOKEN
from tests.serving.certificate import Certificate
from xmpp_rest.__main__ import main
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID


class Place:
    """A gateway that runs in this process, and its command line. `config`: of the gateway; `url`: where it listens."""

    def __init__(self, config: Path, gateway: Gateway, url: str) -> None:
        self.config = config
        self.gateway = gateway
        self.url = url

    def run(self, *words: str, stdin: str | bytes = "", **environ: str) -> Ran:
        """`xmpp-rest WORDS` with the configuration of the gateway."""
        return run(*words, stdin=stdin, XMPP_REST_CONFIG=str(self.config), **environ)

    def away(self, *words: str, token: str = "", stdin: str | bytes = "") -> Ran:
        """`xmpp-rest WORDS` on a machine that has only the URL and a token."""
        return run(*words, stdin=stdin, XMPP_REST_URL=self.url, **({"XMPP_REST_TOKEN": token} if token else {}))

    def token(self, owner: JID, *scopes: str) -> str:
        return self.gateway.parts.tokens.issue(owner, list(scopes) or ["ejabberd:user"], 600)

    def bodies(self, owner: JID) -> list[str]:
        """What is in the account's archive."""
        from xmpp_rest.service.messages.archive import EVERYTHING

        return [kept.stanza.findtext("body") or "" for kept in self.gateway.parts.archive.page(owner, EVERYTHING, 1000).items]


def run(*words: str, stdin: str | bytes = "", **environ: str) -> Ran:
    """`xmpp-rest WORDS` in this process; nothing of the environment but `environ` is for it."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XMPP_REST_")}
    patches = mock.patch.multiple(sys, stdin=io.TextIOWrapper(io.BytesIO(data), "utf-8"), stdout=out, stderr=err)
    with patches, mock.patch.dict(os.environ, kept | environ, clear=True):
        try:
            code = main(words)
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1
    written = out.buffer
    assert isinstance(written, io.BytesIO)
    return Ran(code, written.getvalue().decode(), err.getvalue())


@contextmanager
def place(folder: Path, more: str = "", certificate: Certificate | None = None) -> Iterator[Place]:
    """A gateway by a configuration in `folder`; `more`: further lines of that."""
    config = folder / "wsgi.ini"
    auth = f"[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n[rest]\ncredentials = {TOKEN}\n"
    config.write_text(f"[gateway]\ndomain = {DOMAIN}\n{auth}{more}")
    app = build(load_settings(config, {}))
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=certificate and (certificate.cert, certificate.key))
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Place(config, gateway, f"http{'s' if certificate else ''}://127.0.0.1:{server.port}")
    finally:
        gateway.end_waiting()
        server.shutdown()
        server.server_close()
        thread.join(10)
        gateway.stop()
