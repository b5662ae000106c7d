"""Measures what is not a single request: batches, callbacks, the link itself, event streams."""

from __future__ import annotations

import base64
import http.client
import json
import re
import selectors
import socket
import statistics
import time
from collections.abc import Mapping, Sequence

from bench.bare import attach_again, flood
from bench.load import Clock, Measured
from bench.peers import FLOOD, SINK
from bench.process import serving
from tests.live.gateway import PASSWORD
from tests.live.xmppserver import GATEWAY, SECRET

BATCH = 10_000
READERS, MESSAGES = 200, 100
PING = "<iq type='get' id='f{{n}}' from='{source}' to='{target}'><ping xmlns='urn:xmpp:ping'/></iq>"
PONG = re.compile(rb"<iq[^>]*\bid=['\"]f([0-9]+)['\"][^>]*>")
CHAT = "<message type='chat' id='c{{n}}' from='u{{s}}@{source}' to='{target}'><body>n{{n}}</body></message>"
SAID = re.compile(rb"<body>n([0-9]+)</body>")


def batch(port: int, headers: Mapping[str, str], pids: Sequence[int], process: int = 0) -> Measured:
    """BATCH messages in one request of newline-delimited JSON; to this process of the server, if one is named."""
    line = {"kind": "message", "to": f"friar@{SINK}", "type": "chat", "body": "wisely and slow; they stumble that run fast"}
    return _lines(_connect(port, process), "/rest", line, headers, pids)


def commands(port: int, sender: str, headers: Mapping[str, str], pids: Sequence[int]) -> Measured:
    """BATCH times `send_message` in one request of newline-delimited JSON."""
    message = {"type": "chat", "from": sender, "to": f"friar@{SINK}", "subject": "", "body": "wisely and slow; they stumble that run fast"}
    return _lines(_connect(port), "/api", {"command": "send_message", "arguments": message}, headers, pids)


def _connect(port: int, process: int = 0) -> http.client.HTTPConnection:
    """A connection to this process of a server that has several; to any, where none is named or it takes none of fifty."""
    for _ in range(50):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        if not process:
            break
        connection.request("GET", "/health")
        connection.getresponse().read()
        if serving(port, connection.sock.getsockname()[1]) == process:
            break
        connection.close()
    return connection


def _lines(
    connection: http.client.HTTPConnection, path: str, line: object, headers: Mapping[str, str], pids: Sequence[int]
) -> Measured:
    body = (json.dumps(line) + "\n") * BATCH
    clock, start = Clock(pids), time.monotonic()
    connection.request("POST", path, body, {**headers, "Content-Type": "application/x-ndjson"})
    answers = connection.getresponse().read().splitlines()
    seconds = time.monotonic() - start
    connection.close()
    bad = sum(b'"error"' in answer for answer in answers)
    return Measured(BATCH / seconds, *clock.each(BATCH), bad=bad + BATCH - len(answers))


def one_way(port: int, pids: Sequence[int]) -> Measured:
    """A batch's messages, written by a bare component as fast as the server takes them; the answer to an iq behind them tells the end."""
    said = "<body>wisely and slow; they stumble that run fast</body>"
    stanza = f"<message type='chat' from='u@{FLOOD}' to='friar@{SINK}' id='{{}}'>{said}</message>"
    data = "".join(stanza.format(n) for n in range(BATCH)) + PING.format(source=FLOOD, target=FLOOD).replace("{n}", "1")
    with attach_again(port, FLOOD, SECRET) as s:
        s.settimeout(60)
        clock, start, answer = Clock(pids), time.monotonic(), b""
        s.sendall(data.encode())
        while b"ping" not in answer:
            answer += s.recv(65536)
        seconds = time.monotonic() - start
    return Measured(BATCH / seconds, *clock.each(BATCH))


def pings(port: int, target: str, pids: Sequence[int], seconds: float) -> Measured:
    """Stanzas through a component, in and out: pings that a bare component sends, and the answers."""
    return _flood(port, PING.format(source=FLOOD, target=target), PONG, pids, seconds, 200, stanzas=2)


def callbacks(port: int, target: str, pids: Sequence[int], seconds: float) -> Measured:
    """Messages of many senders to a bot, and the replies that its callback gives."""
    return _flood(port, CHAT.format(source=FLOOD, target=target), SAID, pids, seconds, 64, stanzas=1)


def _flood(
    port: int, stanza: str, answer: re.Pattern[bytes], pids: Sequence[int], seconds: float, window: int, *, stanzas: int
) -> Measured:
    with attach_again(port, FLOOD, SECRET) as s:
        clock = Clock(pids)
        result = flood(s, stanza, answer, seconds, window)
    count = stanzas * result.number
    return Measured(count / result.seconds, *clock.each(count), *_percentiles(result.delays))


def _percentiles(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return statistics.median(ordered), ordered[len(ordered) * 99 // 100]


def fan_out(port: int, pids: Sequence[int]) -> Measured:
    """MESSAGES messages, sent one after the other, to each of READERS event streams of one account."""
    who = "Basic " + base64.b64encode(f"romeo@{GATEWAY}:{PASSWORD}".encode()).decode()
    readers = [_listen(port, who) for _ in range(READERS)]
    sender = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    fields = {"Authorization": who, "Content-Type": "application/json"}
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ)
        clock, start, delays = Clock(pids), time.monotonic(), []
        for n in range(MESSAGES):
            began = time.monotonic()
            sender.request("POST", "/api/messages", json.dumps({"to": f"romeo@{GATEWAY}", "body": f"all {n}"}), fields)
            sender.getresponse().read()
            delays += _hear(selector, f"all {n}".encode(), began)
        seconds = time.monotonic() - start
    for reader in readers:
        reader.close()
    sender.close()
    return Measured(len(delays) / seconds, *clock.each(len(delays)), *_percentiles(delays), bad=MESSAGES * READERS - len(delays))


def _listen(port: int, who: str) -> socket.socket:
    s = socket.create_connection(("127.0.0.1", port), 10)
    s.sendall(f"GET /api/sse HTTP/1.1\r\nHost: localhost\r\nAuthorization: {who}\r\n\r\n".encode())
    answer = s.recv(4096)
    if b" 200 " not in answer:
        raise ConnectionRefusedError(answer.decode())
    return s


def _hear(selector: selectors.BaseSelector, text: bytes, began: float) -> list[float]:
    """ms until each reader had this text, of those that had it within five seconds."""
    pending = {key.fd: b"" for key in selector.get_map().values()}
    delays: list[float] = []
    while pending and time.monotonic() < began + 5:
        for key, _ in selector.select(1):
            data = pending.get(key.fd, b"") + key.fileobj.recv(65536)  # type: ignore[union-attr]
            if key.fd in pending:
                pending[key.fd] = data
                if text + b'"' in data:
                    del pending[key.fd]
                    delays.append((time.monotonic() - began) * 1000)
    return delays
