"""`xmpp-rest send JID[,JID…] [TEXT|-]`: sends messages, or a batch of stanzas; the exit code is their outcome."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from drivers.progress import ProgressDisplay
from xmpp_rest.cli.access import Access, Deadline
from xmpp_rest.cli.access.choice import access
from xmpp_rest.cli.in_room import Visit
from xmpp_rest.cli.outcomes import addresses, code_of, sender_of, tell, words_of, worst
from xmpp_rest.cli.send_files import send_files
from xmpp_rest.cli.streams import as_json
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.stanza import child, new_id

MAX_TEXT = 1 << 20  # characters
AT_ONCE = 1000  # lines of a batch whose outcomes are waited for together
LINE = 8 << 20  # bytes of a line


def run(load: Load, options: argparse.Namespace) -> int:
    """Send; the exit code. Raises CannotStart, and what reading the configuration and reaching the gateway raise."""
    if options.file:
        return send_files(load, options)
    if options.json:
        return _send_lines(load, options)
    recipients, text = _words(options)
    wait = Deadline(options.wait)
    with access(load, options, offline=not options.room) as gateway:
        if options.room:
            sender = str(options.sender or gateway.address())
            answers = [Visit(gateway, sender, to, wait).speak(text, options.subject) for to in recipients]
        else:
            answers = gateway.send([_line(options, to, text) for to in recipients], wait)
    return worst([tell(to, answer) for to, answer in zip(recipients, answers, strict=True)])


def _words(options: argparse.Namespace) -> tuple[list[str], str]:
    """To whom, each once, and what. Raises CannotStart, USAGE or DATAERR."""
    words = words_of(options)
    named: list[str] = [str(to) for to in options.to] or (addresses(words.pop(0)) if words else [])
    if not named:
        raise CannotStart(Exit.USAGE, "to whom? write xmpp-rest send JID TEXT")
    if len(words) > 1:
        raise CannotStart(Exit.USAGE, f"{words[1]!r} is one word too many; a text of several words stands in quotes")
    text = words[0] if words and words[0] != "-" else _standard_input()
    if not text or len(text) > MAX_TEXT:
        raise CannotStart(Exit.DATAERR if text else Exit.USAGE, f"write a text of 1 to {MAX_TEXT} characters")
    try:
        serialise(child("body", text))
    except BadXML as e:
        raise CannotStart(Exit.DATAERR, f"this text cannot be sent: {e}") from e
    return list(dict.fromkeys(named)), text


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read(4 * MAX_TEXT + 1).decode().rstrip("\n")
    except UnicodeDecodeError as e:
        raise CannotStart(Exit.DATAERR, f"standard input is not UTF-8: {e.reason} at byte {e.start}") from e


def _line(options: argparse.Namespace, to: str, text: str) -> bytes:
    """A message as an object of /rest."""
    message = {"kind": "message", "type": options.type, "to": to, "id": new_id(), "subject": options.subject, "from": sender_of(options)}
    return json.dumps({name: value for name, value in message.items() if value} | {"body": text}).encode()


# -- batches


def _send_lines(load: Load, options: argparse.Namespace) -> Exit:
    """Send the objects on standard input, with one line of result for each."""
    if options.to or options.room or [word for word in words_of(options) if word != "-"]:
        raise CannotStart(Exit.USAGE, "--json: each object on standard input names its recipient with `to`")
    source, code, seconds = sys.stdin.buffer, Exit.DONE, options.wait
    lines = _numbered(source)
    with access(load, options, offline=True) as gateway, ProgressDisplay("stanzas", _count(source), quiet=options.quiet) as progress:
        while some := list(islice(lines, AT_ONCE)):
            codes = [code, *_send_some(gateway, some, seconds, sender_of(options))]
            code = worst(codes)
            if Exit.TEMPFAIL in codes[1:]:
                seconds = 0  # the link is down: do not wait for it with every part
            progress.advance(len(some))
    return code


def _send_some(gateway: Access, lines: Sequence[tuple[int, bytes]], seconds: float, sender: str) -> Iterator[Exit]:
    objects = [_object(text) for _, text in lines]
    texts = [_with_sender(text, obj, sender) for (_, text), obj in zip(lines, objects, strict=True)]
    answers = gateway.send(texts, Deadline(seconds))
    for (number, _), obj, answer in zip(lines, objects, answers, strict=True):
        told = {"line": number, "to": obj.get("to"), "id": answer.get("id", obj.get("id")), "outcome": answer["outcome"]}
        told = {name: value for name, value in told.items() if value is not None}
        print(as_json(told | {name: answer[name] for name in ("error", "answer") if name in answer}))
        yield code_of(answer)
    sys.stdout.flush()


def _numbered(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers. Raises CannotStart, DATAERR, for one that is too long."""
    number = 0
    while line := source.readline(LINE + 1):
        number += 1
        if len(line) > LINE:
            raise CannotStart(Exit.DATAERR, f"line {number} is longer than {LINE} bytes; the lines before it have been sent")
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def _count(source: BinaryIO) -> int | None:
    """How many lines a file has that standard input comes from; None where that cannot be known."""
    if not source.seekable():
        return None
    start = source.tell()
    count = sum(1 for line in source if line.strip())
    source.seek(start)
    return count


def _object(line: bytes) -> dict[str, Any]:
    """The object, {} for a line that is none: the gateway says what is wrong with it."""
    try:
        obj = json.loads(line)
    except ValueError:
        return {}
    return obj if isinstance(obj, dict) else {}


def _with_sender(text: bytes, obj: dict[str, Any], sender: str) -> bytes:
    return json.dumps(obj | {"from": sender}).encode() if sender and obj and "from" not in obj else text
