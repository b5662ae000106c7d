"""Frames: what speakers say to each other, in JSON, and how it is packed into the payloads that the storage carries.

A payload is a JSON list: first the line, the number of the payload in it, and the run of the sender; then the frames.
"""

# many-machines §5

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from xmpp_rest.processes.group import Message

PAYLOAD = 7500  # bytes that a notification carries at most; a longer frame has a payload of its own, which the storage keeps elsewhere
LONGEST_NAME = 40  # characters of the name of a line or a run: that of a channel in PostgreSQL has 63 at most
NO_LINE = ""  # of a payload that belongs to no line, and is not counted

# what is said: a frame has one of these keys
OPEN, OPENED, CLOSED, READY, PING = "open", "opened", "closed", "ready", "ping"
NODE = "node"  # of who opens a line: the id of its data folder
CHANNEL, SAYS, ENDS = "on", "says", "ends"  # the channel of a process, with what it says, or that it ends
OWN = "own"  # the channel of the speaker itself
MESSAGE = "message"  # for all processes of a node
PASSED = "passed"  # to the owner of a hosted domain: another owner has passed something on to it


class Envelope(NamedTuple):
    """A payload."""

    line: str
    number: int
    run: str
    frames: list[Message]

    def __repr__(self) -> str:
        return f"Envelope({self.line!r}, {self.number}, {self.run!r})"  # the frames have what people write


def frame_text(frame: Message) -> str:
    """A frame as JSON. Raises ValueError for text that is not Unicode."""
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
    text.encode()
    return text


def pack(line: str, first: int, run: str, texts: Sequence[str]) -> list[str]:
    """The payloads for these frames, numbered from `first` on."""
    return [f"[{_compact([line, number, run])},{','.join(batch)}]" for number, batch in enumerate(_batches(texts), first)]


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    room = PAYLOAD - 100  # the head of a payload is shorter
    batch: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode()) + 1
        if batch and size + length > room:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def unpack(payload: str) -> Envelope:
    """A payload, read. Raises ValueError if it is none."""
    try:
        (line, number, run), *frames = json.loads(payload)
    except (TypeError, RecursionError) as e:
        raise ValueError("a payload is a list that begins with three values") from e
    is_right = (line == NO_LINE or _is_name(line)) and isinstance(number, int) and _is_name(run)
    if not is_right or not all(isinstance(each, dict) for each in frames):
        raise ValueError("a payload has a line, a number, a run, and frames")
    return Envelope(line, number, run, frames)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isascii() and value.isalnum()


def take_each(frames: Iterable[Message], take: Callable[[Message], None]) -> None:
    """Have each frame taken: one that cannot be costs no other of its payload. Raises what was raised last."""
    failure: Exception | None = None
    for frame in frames:
        try:
            take(frame)
        except Exception as e:
            failure = e
    if failure is not None:
        raise failure


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
