"""A gateway by its URL, with a token."""

from __future__ import annotations

import http.client
import json
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import quote

from xmpp_rest.cli.access import BEGINNING, GAP, Answer, Deadline, Happened, Interrupted, is_undecided
from xmpp_rest.cli.access.events import ReceivedEvent, received
from xmpp_rest.cli.access.files import LocalFile, send_by_http
from xmpp_rest.cli.access.http_client import HttpClient, HttpReply
from xmpp_rest.gateway.exit_codes import CannotStart, Exit

FEW = 8  # messages that are sent by a request each, at once, so that the gateway itself waits for their outcomes
MOST_SILENT = 330.0  # seconds after which a stream is taken for dead before its heartbeat is known, which is at most 300
FIRST_POLL, LAST_POLL = 0.05, 1.0  # seconds between two questions for an outcome
JSON, NDJSON, SSE = "application/json", "application/x-ndjson", "text/event-stream"


class RemoteAccess:
    """The gateway at a URL."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    # -- send

    def send(self, lines: Sequence[bytes], wait: Deadline) -> list[Answer]:
        objects = [_object(line) for line in lines]
        if len(lines) <= FEW and all(obj is not None and obj.get("kind", "message") == "message" for obj in objects):
            with ThreadPoolExecutor(FEW) as pool:
                answers = list(pool.map(lambda line: self._send_one(self._client.again(), line, wait), lines))
        else:
            answers = self._send_batch(lines)
        return [self._decided(answer, obj or {}, wait) for answer, obj in zip(answers, objects, strict=True)]

    def send_file(self, file: LocalFile, wait: Deadline) -> list[Answer]:
        answers = send_by_http(self._client, file, wait.left)
        obj = {"from": file.sender} if file.sender else {}
        return [self._decided(answer, obj, wait) for answer in answers]

    def _send_one(self, client: HttpClient, line: bytes, wait: Deadline) -> Answer:
        seconds = min(math.ceil(wait.left), 3600)
        try:
            reply = client.request("POST", "/rest", line, wait=seconds, Content_Type=JSON, Accept=JSON, Prefer=f"wait={seconds}")
        finally:
            client.close()
        said = reply.json()
        is_in_room = bool(_text(reply, "Nick"))
        if reply.status == 202 or (reply.status == 504 and is_in_room):
            return {"id": _text(reply, "Stanza-Id"), "outcome": _text(reply, "Stanza-Outcome") or "accepted", "of_room": is_in_room}
        if reply.status == 200 and is_in_room:
            return {"id": _text(reply, "Stanza-Id"), "outcome": "reflected"}
        if reply.status == 200 and isinstance(said, dict):
            return {"id": said.get("id", ""), "outcome": "refused", "error": said.get("error") or {}}
        if isinstance(said, dict) and isinstance(said.get("error"), dict):
            return {"outcome": "error", "code": reply.status, "error": said["error"]}
        raise self._refusal(reply)

    def _send_batch(self, lines: Sequence[bytes]) -> list[Answer]:
        reply = self._client.request("POST", "/rest", b"\n".join(lines), wait=600, Content_Type=NDJSON, Accept=f"{NDJSON}, {JSON}")
        answers = [answer for answer in map(_object, reply.body.splitlines()) if answer is not None]
        if reply.status != 200 or not all(isinstance(answer.get("outcome"), str) for answer in answers or [{}]):
            raise self._refusal(reply)
        if len(answers) != len(lines):  # a limit of the gateway, which the last answer names
            last = answers.pop() if answers and answers[-1].get("outcome") == "error" else {"outcome": "error", "code": 413, "error": {}}
            answers += [last] * (len(lines) - len(answers))
        return answers

    def _decided(self, answer: Answer, obj: dict[str, Any], wait: Deadline) -> Answer:
        """The outcome once it is decided, or when the time is over."""
        pause, sender = FIRST_POLL, f"?from={quote(str(obj['from']))}" if "from" in obj else ""
        while is_undecided(answer) and answer.get("id"):
            reply = self._client.request("GET", f"/rest/outcome/{quote(str(answer['id']), safe='')}{sender}", Accept=JSON)
            said = reply.json()
            if reply.status != 200 or not isinstance(said, dict):  # a token that may only send may not ask
                return answer
            answer = answer | {"outcome": said.get("state")} | ({"error": said["error"]} if "error" in said else {})
            if not wait.left:
                break
            time.sleep(min(pause, wait.left))
            pause = min(2 * pause, LAST_POLL)
        return answer

    # -- listen

    def last_id(self, account: str | None) -> str:
        query = {"kind": "iq", "archive": {"max": 1, "before": ""}} | ({"from": account, "to": account} if account else {})
        reply = self._client.request("POST", "/rest", json.dumps(query).encode(), Content_Type=JSON, Accept=JSON)
        said = reply.json()
        if reply.status >= 500:
            raise Interrupted(_sentence(reply))
        if reply.status != 200 or not isinstance(said, dict):
            raise self._refusal(reply)
        ids = [stanza["archive"].get("id") for stanza in said.get("xmpp", [said]) if isinstance(stanza.get("archive"), dict)]
        return next(filter(None, ids), BEGINNING)

    def events(self, account: str | None, after: str | None, until: Deadline) -> Iterator[Happened | None]:
        query = f"?of={quote(account)}" if account else ""
        fields = {"Last_Event_ID": after} if after else {}
        with closing(self._client.again()) as client:  # this one is busy from now on
            response = client.open(f"/rest/stream{query}", Accept=SSE, **fields)
            if response.status != 200 or response.headers.get_content_type() != SSE:
                raise self._no_stream(HttpReply(response.status, response.headers, response.read(1 << 16)))
            yield from self._read(client, response, until)

    def _read(self, client: HttpClient, response: http.client.HTTPResponse, until: Deadline) -> Iterator[Happened | None]:
        events, ended = received(response), ""
        patience, came = MOST_SILENT, 0.0
        while True:
            client.set_timeout(max(0.01, min(until.left, patience)))
            try:
                event = next(events, None)
            except TimeoutError as e:
                if not until.left:
                    return
                raise Interrupted(f"nothing has come for {patience:.0f} seconds") from e
            except (OSError, http.client.HTTPException, ValueError) as e:
                raise Interrupted(str(e) or type(e).__name__) from e
            if event is None:
                raise Interrupted(ended or "the stream has ended")
            if event.name:
                came = time.monotonic()
                if event.name != "room":  # that is not a stanza
                    yield _happened(event)
                continue
            if came and event.comment == "ok":
                patience = min(MOST_SILENT, 2 * (time.monotonic() - came) + 15)
            if "resume after is unknown" in event.comment:
                yield GAP
            came = time.monotonic()
            ended = "" if event.comment == "ok" else event.comment
            yield None

    def _no_stream(self, reply: HttpReply) -> Exception:
        return Interrupted(_sentence(reply)) if reply.status >= 500 else self._refusal(reply)

    # -- status

    def address(self) -> str:
        reply = self._client.request("POST", "/rest/echo", b'{"body":"?"}', Content_Type=JSON, Accept=JSON)
        said = reply.json()
        if reply.status != 200 or not isinstance(said, dict):
            raise self._refusal(reply)
        return str(said.get("from", ""))

    def figures(self) -> dict[str, Any]:
        reply = self._client.request("GET", "/status", Accept=JSON)
        said = reply.json()
        if reply.status == 200 and isinstance(said, dict):
            return said
        if reply.status == 503:
            ready = self._client.request("GET", "/readyz", Accept=JSON).json()
            reasons = ready.get("reasons", []) if isinstance(ready, dict) else []
            return {"ready": False, "reasons": reasons or [{"check": "gateway", "reason": _sentence(reply)}]}
        raise self._refusal(reply)

    def _refusal(self, reply: HttpReply) -> CannotStart:
        """The error for an answer that is none to what was asked."""
        if reply.status in (401, 403, 429):
            return CannotStart(Exit.NOPERM, f"{self._client.url}: {_sentence(reply)}")
        if 300 <= reply.status < 400:
            return CannotStart(Exit.UNAVAILABLE, f"{self._client.url} has moved: {_text(reply, 'Location') or 'it does not say where'}")
        if reply.status == 413:
            return CannotStart(Exit.DATAERR, f"{self._client.url}: {_sentence(reply)}")
        return CannotStart(Exit.UNAVAILABLE, f"{self._client.url}: {_sentence(reply)}; is this the URL of a gateway?")


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        obj = json.loads(line)
    except ValueError:
        return None
    return obj if isinstance(obj, dict) else None


def _text(reply: HttpReply, name: str) -> str:
    return reply.fields.get(name, "")


def _sentence(reply: HttpReply) -> str:
    """What an answer says, in one line."""
    said = reply.json()
    said = said if isinstance(said, dict) else {}
    error = said.get("error")
    text = said.get("detail") or (error.get("text") if isinstance(error, dict) else "") or http.client.responses.get(reply.status, "")
    return f"{reply.status} {text}".strip()


def _happened(event: ReceivedEvent) -> Happened:
    stanza = _object(event.data.encode()) or {}
    return Happened(event.id, time.time(), stanza if event.name != "unmappable" else {"kind": "", "unmappable": stanza.get("error", "")})
