"""What metrics and the access line cost a request, of which 20 µs of processor time are allowed.

    python bench/observing.py [--seconds 60] [--workers 2] [--path /health]

A gateway under `wrk`, on a link to a server that throws away what it gets; asked for is to send a message, unless `--path` names something.
Two processes of the same code differ by up to 50 µs a message, and so do two seconds of one process on a busy machine. So each worker
counts and logs for WINDOW requests, then does not for as many, and notes the processor time of each; lines that wait are written
within the same window. Printed are the median time of a request, in µs, and the mean of the differences to the windows beside them
without either, without the tenths at both ends, with its standard error.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.in_turn import POSTED, Gateway
from bench.sink import Sink
from xmpp_rest.__main__ import main as run
from xmpp_rest.answered import Answered, Answers
from xmpp_rest.logs.access import AccessLog
from xmpp_rest.metrics.counts import Counts

NOTES = "BENCH_NOTES"  # in the environment: the folder where workers note what they measure
WINDOW = 100
MODES = {"neither": (), "metrics": (Counts,), "access line": (AccessLog,), "both": (Counts, AccessLog)}
METHODS = {Counts: ("answered", "handed_in", "received", "committed"), AccessLog: ("answered",)}


class Windows:
    """The windows of one worker. `kinds`: the observers of the present one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._requests = 0
        self._order = self._modes()
        self._mode = next(self._order)
        self.kinds = MODES[self._mode]
        self._began = time.process_time_ns()

    def _modes(self) -> Iterator[str]:
        while True:
            yield from random.sample(list(MODES), len(MODES))

    def request(self) -> None:
        """A request is answered."""
        self._requests += 1
        if self._requests % WINDOW:
            return
        for handler in logging.root.handlers:
            handler.flush()
        took = (time.process_time_ns() - self._began) / WINDOW / 1000
        with (self._folder / str(os.getpid())).open("a") as notes:
            notes.write(f"{self._mode}\t{took}\n")
        self._mode = next(self._order)
        self.kinds = MODES[self._mode]
        self._began = time.process_time_ns()


def serve(windows: Windows) -> int:
    """The gateway, whose workers count and log in some windows alone."""

    def only_in_some(kind: type, method: Callable[..., None]) -> Callable[..., None]:
        def observe(self: object, *args: Any) -> None:
            if kind in windows.kinds:
                method(self, *args)

        return observe

    for kind, names in METHODS.items():
        for name in names:
            setattr(kind, name, only_in_some(kind, getattr(kind, name)))
    tell = Answers.tell

    def told(self: Answers, answered: Answered) -> None:
        tell(self, answered)
        windows.request()

    Answers.tell = told  # type: ignore[method-assign]  # of this process alone
    return run()


def rounds_of(notes: Path) -> Iterator[dict[str, float]]:
    """What a worker has noted, by mode, but for the first rounds, in which all is cold."""
    lines = [line.split("\t") for line in notes.read_text().splitlines()]
    size = len(MODES)
    for at in range(3 * size, len(lines) - size + 1, size):
        yield {mode: float(took) for mode, took in lines[at : at + size]}


def difference(rounds: list[dict[str, float]], mode: str) -> tuple[float, float]:
    """To the windows without either: the mean without the tenths at both ends, and its standard error."""
    found = sorted(each[mode] - each["neither"] for each in rounds)
    cut = len(found) // 10
    kept = found[cut : len(found) - cut]
    drawn_in = [kept[0]] * cut + kept + [kept[-1]] * cut  # with those at the ends instead of those beyond (Tukey, McLaughlin 1963)
    return mean(kept), stdev(drawn_in) / len(kept) * len(found) ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--path")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder, notes = (Path(stack.enter_context(TemporaryDirectory())) for _ in range(2))
        os.environ[NOTES] = str(notes)
        gateway = Gateway(folder, f".,SERVER_WORKERS={arguments.workers}", Sink().port, (str(Path(__file__).absolute()),))
        stack.callback(gateway.stop)
        gateway.wait()
        gateway.take(("GET", arguments.path, "") if arguments.path else POSTED, arguments.seconds)
        rounds = [each for file in notes.iterdir() for each in rounds_of(file)]
        print(f"{len(rounds)} rounds of {len(list(notes.iterdir()))} workers")
    for mode in MODES:
        told = "" if mode == "neither" else "{:+6.1f} ± {:.1f}".format(*difference(rounds, mode))
        print(f"{mode:<12} {median(each[mode] for each in rounds):7.1f} µs {told}")


if __name__ == "__main__":
    if NOTES in os.environ:
        sys.exit(serve(Windows(Path(os.environ[NOTES]))))
    main()
