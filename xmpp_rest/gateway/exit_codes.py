"""Exit codes of `xmpp-rest` (sysexits.h), and the error that one of them goes with. `xmpp-restctl` has those of ejabberdctl."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Why a command ended."""

    DONE = 0
    REFUSED = 1
    USAGE = 64
    DATAERR = 65
    NOINPUT = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    OSERR = 71
    CANTCREAT = 73
    TEMPFAIL = 75
    NOPERM = 77
    CONFIG = 78
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done",
    Exit.REFUSED: "refused by the recipient or its server; a comparison differs, or something was left out; not ready",
    Exit.USAGE: "wrong words",
    Exit.DATAERR: "the text or file cannot be sent or read: no JSON, what XML cannot hold, a damaged backup",
    Exit.NOINPUT: "a file or source that is not there",
    Exit.UNAVAILABLE: "no gateway, no storage, or the URL or the storage cannot be reached",
    Exit.SOFTWARE: "a fault of xmpp-rest itself; -v prints the traceback",
    Exit.OSERR: "an address that cannot be listened on, or another failure of the system",
    Exit.CANTCREAT: "a file or folder that cannot be made, or is there already",
    Exit.TEMPFAIL: "kept, but not confirmed; or: stop the gateway first",
    Exit.NOPERM: "credentials or rights are not enough",
    Exit.CONFIG: "the configuration is wrong",
    Exit.INTERRUPTED: "interrupted",
}
"""What each of them means, for help and manual pages."""


class CannotStart(Exception):
    """What was asked for cannot be done, such as a start. Each of `problems` says what is wrong and what would be right."""

    def __init__(self, code: Exit, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.code = code
        self.problems = problems
