"""A server that does what a test's script says, over real sockets, and a login at it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.authority import Authority, Certificate
from tests.link.c2s.settings import login_section, sessions
from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.link.c2s.credentials import LoginCredentials
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.login import check, log_in
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.server_finder import ServerFinder
from xmpp_rest.link.c2s.tls import ALPN, TlsContexts
from xmpp_rest.link.c2s.tls_socket import TlsSocket
from xmpp_rest.protocol.jid import parse_jid

DOMAIN = "montague.example"
PASSWORD = "a thousand times good night"
ROMEO = LoginCredentials(parse_jid(f"romeo@{DOMAIN}"), PASSWORD)
HEADER = (
    "<?xml version='1.0'?><stream:stream from='montague.example' id='1' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
SALT = b"ashes of roses"
PATIENCE = 30  # seconds
LONG = sessions(connect_timeout=30, login_timeout=60)  # the machine may be slow


def mechanisms(*names: str) -> str:
    """A feature of SASL."""
    return f"<mechanisms xmlns='{SASL}'>{''.join(f'<mechanism>{name}</mechanism>' for name in names)}</mechanisms>"


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, certificate: Certificate) -> None:
        sock.settimeout(PATIENCE)
        self.sock = sock
        self.seen = ""
        """All that the client has sent, but for what TLS needs."""
        self._received = ""
        self._certificate = certificate

    def send(self, data: str | bytes) -> None:
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def read(self, until: str) -> str:
        """Everything up to and including this. Raises EOFError."""
        while until not in self._received:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.seen += data.decode()
            self._received += data.decode()
        head, _, self._received = self._received.partition(until)
        return head + until

    def encrypt(self, certificate: Certificate | None = None, **changes: object) -> None:
        context = (certificate or self._certificate).context(ALPN)
        for name, value in changes.items():
            setattr(context, name, value)
        self.sock = context.wrap_socket(self.sock, server_side=True)

    def open(self, features: str = "") -> str:
        """Answer the client's stream header, which is what is returned."""
        self.read("?>")
        header = self.read(">")
        self.send(f"{HEADER}<stream:features>{features}</stream:features>")
        return header

    def starttls(self) -> None:
        self.open(STARTTLS)
        self.read("/>")
        self.send(PROCEED)
        self.encrypt()

    def payload(self, name: str) -> str:
        """What the client's element of SASL says."""
        text = self.read(f"</{name}>") if name == "auth" else self.read(">")
        if name == "response" and not text.endswith("/>"):
            text += self.read("</response>")
        return base64.b64decode(text.rpartition("</")[0].rpartition(">")[2]).decode()

    def say(self, name: str, payload: str | bytes = "") -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        self.send(f"<{name} xmlns='{SASL}'>{base64.b64encode(data).decode()}</{name}>")

    def scram(self, iterations: int = 4096, password: str = PASSWORD, salt: bytes = SALT) -> str:
        """SCRAM-SHA-1 up to the proof; the server's last message. A wrong password is not told."""
        first = self.payload("auth")
        challenge = f"r={first.rpartition('r=')[2]}srv,s={base64.b64encode(salt).decode()},i={iterations}"
        self.say("challenge", challenge)
        proof = self.payload("response")
        signed = f"{first[3:]},{challenge},{proof.rpartition(',p=')[0]}".encode()
        salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, iterations)
        return "v=" + base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha1"), signed, "sha1")).decode()

    def log_in(self, features: str = BIND) -> None:
        """All that goes well, direct TLS and SCRAM, up to the features behind it."""
        self.encrypt()
        self.open(mechanisms("SCRAM-SHA-1"))
        self.say("success", self.scram())
        self.open(features)

    def bind(self, resource: str = "", answer: str = "") -> str:
        """Answer the iq for a resource; what the client asked."""
        asked = self.read("</iq>")
        name = asked.partition("id='")[2].partition("'")[0]
        jid = f"romeo@{DOMAIN}/{resource or asked.partition('<resource>')[2].partition('<')[0]}"
        result = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{jid}</jid></bind>"
        self.send(answer.replace("ID", name) or f"<iq type='result' id='{name}'>{result}</iq>")
        return asked

    def until_closed(self) -> None:
        """Wait until the client has hung up."""
        with contextlib.suppress(OSError):
            while data := self.sock.recv(65536):
                self.seen += data.decode("utf-8", "replace")


Script = Callable[[Peer], object]


class HostileServer:
    """Runs a script on each connection, in a thread of its own."""

    def __init__(self, authority: Authority, certificate: Certificate) -> None:
        self.script: Script = Peer.until_closed
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []
        self._authority = authority
        self._certificate = certificate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                sock, _ = self._listener.accept()
                peer = Peer(sock, self._certificate)
                self.peers.append(peer)
                thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, peer: Peer) -> None:
        try:
            self.script(peer)
        except (OSError, EOFError):
            return  # the client hung up
        except BaseException as e:  # shown by the test that owns this server
            self.failures.append(e)
        finally:
            peer.sock.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert not self.failures, self.failures

    def login(self, tls: str = "direct", **changes: object) -> LoginSettings:
        """The section of this server."""
        given = {"domains": DOMAIN, "host": "127.0.0.1", "port": self.port, "tls": tls, "ca_file": self._authority.ca_file}
        return login_section(given | changes)

    def log_in(
        self,
        script: Script,
        tls: str = "direct",
        credentials: LoginCredentials = ROMEO,
        settings: SessionsSettings | None = None,
        resumption: Resumption | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> OpenedStream:
        """A login, with this script on the other side. Raises LoginFailed."""
        self.script = script
        return log_in(self.login(tls), credentials, settings or LONG, "xmpp-rest", ServerFinder(()), TlsContexts(), resumption, stop=stop)

    def check(self, script: Script, tls: str = "direct", credentials: LoginCredentials = ROMEO) -> object:
        """A check of the same kind."""
        self.script = script
        return check(self.login(tls), credentials, LONG, ServerFinder(()), TlsContexts(), stop=lambda: False)

    def failure(self, script: Script, tls: str = "direct", **more: SessionsSettings | LoginCredentials | Callable[[], bool]) -> LoginFailed:
        """How a login fails."""
        with pytest.raises(LoginFailed) as raised:
            self.log_in(script, tls, **more).socket.close()  # type: ignore[arg-type]
        failed = raised.value
        assert PASSWORD not in f"{failed!r} {failed} {failed.detail}"
        return failed


@contextlib.contextmanager
def open_to(opened: OpenedStream) -> Iterator[TlsSocket]:
    """Close the connection of a login at the end."""
    with contextlib.closing(opened.socket) as sock:
        yield sock
