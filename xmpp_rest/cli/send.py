"""`xmpp-rest send JID[,JID…] [TEXT|-]`: sends messages, or a batch of stanzas; the exit code is their outcome."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from drivers.progress import ProgressDisplay
from xmpp_rest.cli.access import UNDECIDED, Access, Answer, Deadline
from xmpp_rest.cli.access.choice import access
from xmpp_rest.cli.arguments.messages import address
from xmpp_rest.cli.in_room import Visit
from xmpp_rest.cli.streams import as_json, one_line
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.stanza import child, new_id

MAX_TEXT = 1 << 20  # characters
AT_ONCE = 1000  # lines of a batch whose outcomes are waited for together
LINE = 8 << 20  # bytes of a line
RANK = (Exit.REFUSED, Exit.NOPERM, Exit.USAGE, Exit.DATAERR, Exit.UNAVAILABLE, Exit.TEMPFAIL, Exit.DONE)
"""Of several outcomes the first one here is the exit code."""
OF_STATUS = {**dict.fromkeys((400, 413, 415, 422), Exit.DATAERR), **dict.fromkeys((401, 403, 429), Exit.NOPERM)}
"""Statuses of /rest for what was not sent; the others are UNAVAILABLE."""


def run(load: Load, options: argparse.Namespace) -> int:
    """Send; the exit code. Raises CannotStart, and what reading the configuration and reaching the gateway raise."""
    if options.file:
        raise CannotStart(Exit.CONFIG, "--file: this gateway takes no files yet, so there is nowhere to upload one")
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
    return worst([_tell(to, answer) for to, answer in zip(recipients, answers, strict=True)])


def _words(options: argparse.Namespace) -> tuple[list[str], str]:
    """To whom, each once, and what. Raises CannotStart, USAGE or DATAERR."""
    words = _words_of(options)
    named: list[str] = [str(to) for to in options.to] or (_addresses(words.pop(0)) if words else [])
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


def _words_of(options: argparse.Namespace) -> list[str]:
    return [word for word in (options.recipient, options.text) if word is not None]


def _addresses(word: str) -> list[str]:
    """What stands between commas. Raises CannotStart, USAGE."""
    try:
        return [str(address(part)) for part in word.split(",")]
    except argparse.ArgumentTypeError as e:
        raise CannotStart(Exit.USAGE, str(e)) from e


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read(4 * MAX_TEXT + 1).decode().rstrip("\n")
    except UnicodeDecodeError as e:
        raise CannotStart(Exit.DATAERR, f"standard input is not UTF-8: {e.reason} at byte {e.start}") from e


def _line(options: argparse.Namespace, to: str, text: str) -> bytes:
    """A message as an object of /rest."""
    message = {"kind": "message", "type": options.type, "to": to, "id": new_id(), "subject": options.subject, "from": _sender(options)}
    return json.dumps({name: value for name, value in message.items() if value} | {"body": text}).encode()


def _sender(options: argparse.Namespace) -> str:
    return "" if options.sender is None else str(options.sender)


def _tell(to: str, answer: Answer) -> Exit:
    """Print what has gone wrong; the exit code."""
    code = code_of(answer)
    error = answer.get("error", {})
    if code is Exit.TEMPFAIL:
        print(f"xmpp-rest send: {to}: it is kept; the server has not confirmed it yet", file=sys.stderr)
    elif code is not Exit.DONE:
        why = error.get("context", {}).get("error")
        said = ": ".join(filter(None, (error.get("condition"), error.get("text"), why))) or answer["outcome"]
        print(f"xmpp-rest send: {to}: {one_line(said)}", file=sys.stderr)
    is_no_address = code is Exit.DATAERR and error.get("condition") in ("improper-addressing", "invalid-from")
    return Exit.USAGE if is_no_address else code  # the address was a word of the command line


def code_of(answer: Answer) -> Exit:
    """The exit code for what became of one stanza."""
    outcome = answer["outcome"]
    if outcome in UNDECIDED:
        return Exit.TEMPFAIL
    if outcome == "answered":
        return Exit.REFUSED if answer["answer"].get("type") == "error" else Exit.DONE
    if outcome == "error":
        blocked = answer.get("error", {}).get("condition") == "not-acceptable"
        return Exit.REFUSED if blocked else OF_STATUS.get(answer.get("code", 0), Exit.UNAVAILABLE)
    return Exit.REFUSED if outcome == "refused" else Exit.DONE


def worst(codes: Iterable[Exit]) -> Exit:
    """The exit code for several."""
    return min(codes, key=RANK.index, default=Exit.DONE)


# -- batches


def _send_lines(load: Load, options: argparse.Namespace) -> Exit:
    """Send the objects on standard input, with one line of result for each."""
    if options.to or options.room or [word for word in _words_of(options) if word != "-"]:
        raise CannotStart(Exit.USAGE, "--json: each object on standard input names its recipient with `to`")
    source, code, seconds = sys.stdin.buffer, Exit.DONE, options.wait
    lines = _numbered(source)
    with access(load, options, offline=True) as gateway, ProgressDisplay("stanzas", _count(source), quiet=options.quiet) as progress:
        while some := list(islice(lines, AT_ONCE)):
            codes = [code, *_send_some(gateway, some, seconds, _sender(options))]
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
