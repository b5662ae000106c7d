"""`xmpp-rest send JID[,JID…] --file PATH [TEXT]`: sends files, TEXT as the caption of the first one."""

from __future__ import annotations

import argparse
from pathlib import Path

from xmpp_rest.cli.access import Access, Deadline
from xmpp_rest.cli.access.choice import access
from xmpp_rest.cli.access.files import LocalFile, opened
from xmpp_rest.cli.outcomes import addresses, sender_of, tell, words_of, worst
from xmpp_rest.cli.verbs import Load
from xmpp_rest.gateway.exit_codes import CannotStart, Exit


def send_files(load: Load, options: argparse.Namespace) -> int:
    """Send; the exit code. Raises CannotStart, and what reading the configuration and reaching the gateway raise."""
    if options.json or options.room or options.subject:
        raise CannotStart(Exit.USAGE, "--file: a file goes without --json, --room and --subject; a room is known as one")
    words = words_of(options)
    to = [str(jid) for jid in options.to] or (addresses(words.pop(0)) if words else [])
    if not to:
        raise CannotStart(Exit.USAGE, "to whom? write xmpp-rest send JID --file PATH")
    if len(words) > 1:
        raise CannotStart(Exit.USAGE, f"{words[1]!r} is one word too many; a text of several words stands in quotes")
    wait, kind = Deadline(options.wait), "" if options.type == "chat" else options.type
    codes = []
    with access(load, options, offline=True) as gateway:
        for number, path in enumerate(options.file):
            caption = words[0] if words and not number else ""
            codes.append(_send(gateway, path, (list(dict.fromkeys(to)), caption, kind, sender_of(options)), wait))
    return worst(codes)


def _send(gateway: Access, path: Path, said: tuple[list[str], str, str, str], wait: Deadline) -> Exit:
    content, size = opened(path)
    with content:
        answers = gateway.send_file(LocalFile(content, path.name, size, *said), wait)
    return worst([tell(answer["to"], answer) for answer in answers])
