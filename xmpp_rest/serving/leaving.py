"""The end of a process whose threads do not end."""

from __future__ import annotations

import atexit
import os
import sys


def leave_at_exit(code: int) -> None:
    """Have the process end, once all else that is to be done at its exit has been done, without taking the interpreter apart.

    While that happens, Python ends each thread that goes on; one that is in a greenlet then may crash, as it unwinds the greenlet's stack.
    """

    def leave() -> None:
        atexit.unregister(leave)
        atexit._run_exitfuncs()  # those that were registered before: this one came first
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)

    atexit.register(leave)
