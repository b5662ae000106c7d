"""Exit codes of the command line (sysexits.h), and the error that one of them goes with."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Why a command ended."""

    DONE = 0
    DATAERR = 65  # a file that cannot be read, such as a damaged backup
    NOINPUT = 66  # a file or source that is not there
    UNAVAILABLE = 69  # no gateway, no storage, or the storage cannot be reached
    OSERR = 71  # an address that cannot be listened on
    CANTCREAT = 73  # a folder that cannot be made or written
    TEMPFAIL = 75  # stop the gateway first
    NOPERM = 77  # rights are not enough
    CONFIG = 78  # the configuration
    INTERRUPTED = 130


class CannotStart(Exception):
    """The gateway cannot start as it is configured. Each of `problems` names section and key, what is wrong and what would be right."""

    def __init__(self, code: Exit, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.code = code
        self.problems = problems
