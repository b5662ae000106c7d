"""How `send --file` hands over a file: to the leader in pieces, or by HTTP."""

from __future__ import annotations

import base64
import math
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol
from urllib.parse import urlencode

from xmpp_rest.cli.access.http_client import HttpClient
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.threads.waits import Wait

PIECE = 192 << 10  # bytes of one call
PATIENCE = 120.0  # seconds for the disk, or an upload service, beside the time for outcomes


class LocalFile(NamedTuple):
    """A file that is open, and what is said with it. `kind`: of the messages, "" for what fits; `sender`: "" for the default one."""

    content: BinaryIO
    name: str
    size: int
    to: list[str]
    caption: str = ""
    kind: str = ""
    sender: str = ""


class FilePieces(Protocol):
    """Takes a file in pieces; `cli.file_calls.FileCalls` by way of the leader."""

    def begin_file(self, file: Any) -> dict[str, Any]: ...
    def add_to_file(self, name: str, piece: str) -> dict[str, Any]: ...
    def send_file(self, name: str, caption: str, seconds: float, wait: Wait) -> dict[str, Any]: ...
    def drop_file(self, name: str) -> None: ...


def opened(path: Path) -> tuple[BinaryIO, int]:
    """The content of a file, and its size. Raises CannotStart."""
    try:
        content = path.open("rb")
        size = os.fstat(content.fileno()).st_size
    except OSError as e:
        raise CannotStart(Exit.NOINPUT, f"{path}: {e.strerror}") from e
    if not path.is_file() or not size:
        content.close()
        raise CannotStart(Exit.NOINPUT, f"{path}: {'it is empty' if path.is_file() else 'it is not a file'}")
    return content, size


def send_in_pieces(calls: FilePieces, announced: Any, file: LocalFile, seconds: float) -> list[dict[str, Any]]:
    """Hand it over to the leader; an answer for each recipient. Raises GatewayError, ConnectionError."""
    begun = calls.begin_file(announced)
    if "refused" in begun:
        return _all_refused(file, begun["refused"])
    name = begun["name"]
    try:
        while piece := file.content.read(PIECE):
            reply = calls.add_to_file(name, base64.b64encode(piece).decode())
            if "refused" in reply:
                return _all_refused(file, reply["refused"])
        reply = calls.send_file(name, file.caption, seconds, Wait(seconds + PATIENCE))
    except BaseException:
        calls.drop_file(name)
        raise
    return _all_refused(file, reply["refused"]) if "refused" in reply else list(reply["messages"])


def send_by_http(client: HttpClient, file: LocalFile, seconds: float) -> list[dict[str, Any]]:
    """POST it to /rest/files; an answer for each recipient. Raises CannotStart."""
    named = {"name": file.name, "caption": file.caption, "type": file.kind, "from": file.sender}
    query = urlencode([*(("to", to) for to in file.to), *((name, value) for name, value in named.items() if value)])
    wait = min(math.ceil(seconds), 3600)
    reply = client.upload(f"/rest/files?{query}", file.content, file.size, wait=wait, Prefer=f"wait={wait}")
    said = reply.json()
    if reply.status == 201 and isinstance(said, dict) and isinstance(said.get("messages"), list):
        return list(said["messages"])
    if isinstance(said, dict) and "detail" in said:
        return _all_refused(file, {"code": reply.status, "condition": said.get("condition", ""), "text": str(said["detail"])})
    raise CannotStart(Exit.UNAVAILABLE, f"{client.url}: {reply.status}; is this the URL of a gateway?")


def _all_refused(file: LocalFile, error: dict[str, Any]) -> list[dict[str, Any]]:
    told = {"condition": error.get("condition", ""), "text": error.get("text", "")}
    return [{"to": to, "outcome": "error", "code": error["code"], "error": told} for to in file.to]
