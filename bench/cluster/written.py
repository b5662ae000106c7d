"""What a message writes into the database of several machines: `python -m bench.cluster.written [--messages 2000]`

Bytes of the database's log for each message, sent one by one and by 16 connections at once, to an account elsewhere and to one of the
gateway. Other work on the machine changes them only by how many messages share a commit.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from urllib3.util import make_headers

from bench.cluster.__main__ import Bench
from tests.live.cluster.machines import Machines
from tests.live.cluster.node import Node
from tests.live.counting import RECEIVER
from tests.live.gateway import PASSWORD
from tests.live.xmppserver import GATEWAY

ROMEO = make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}")
TEXT = "wisely and slow; they stumble that run fast"
WRITTEN = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
SETTLED = 1.5  # seconds, in which what was confirmed is removed


def written(machines: Machines) -> float:
    """Bytes since the beginning."""
    time.sleep(SETTLED)
    with machines.databases.connection() as connection:
        ((found,),) = connection.execute(WRITTEN).fetchall()
    return float(found)


def send(node: Node, to: str, messages: int, threads: int) -> None:
    """Send so many, by so many at once."""

    def some(count: int) -> None:
        for _ in range(count):
            answer = node.http.request("POST", "/rest", json={"to": to, "body": TEXT}, headers=ROMEO)
            if answer.status != 202:
                raise SystemExit(f"{answer.status}: {answer.data!r}\n{node.tail()}")

    senders = [threading.Thread(target=some, args=(messages // threads,)) for _ in range(threads)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def each(machines: Machines, messages: int, work: Callable[[], None]) -> float:
    """Bytes for each message, without what is written anyway in that time."""
    began, before = time.monotonic(), written(machines)
    work()
    between, seconds = written(machines), time.monotonic() - began
    time.sleep(seconds)
    idle = (written(machines) - between) * seconds / (seconds + SETTLED)
    return (between - before - idle) / messages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder, Bench(Path(folder), standby=False, workers=1) as bench:
        machines = bench.machines("written", {}, ("web1", "web2"))
        node = machines.other(machines.owner())
        print("| a message | bytes of log |\n| --- | --: |")
        for what, to in (("to somebody elsewhere", f"friar@{RECEIVER}"), ("to an account of the gateway", f"romeo@{GATEWAY}")):
            for threads in (1, 16):
                work = partial(send, node, to, messages, threads)
                work()  # pages are written whole once after each checkpoint
                size = each(machines, messages, work)
                print(f"| {what}, {threads} at once | {size:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
