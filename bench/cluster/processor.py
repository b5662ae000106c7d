"""What a message costs the processors of several machines: `python -m bench.cluster.processor [--seconds 5]`

Processor time of the node that owns, of the node that the request came by, and of the database, in µs for each message, over so many
connections at the node that does not own. What else runs on the machine changes it little, unlike rates.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.cluster.__main__ import FIXED, MESSAGE, ROMEO, Bench
from bench.load import Clock, Target, hammer
from tests.live.counting import RECEIVER
from tests.live.gateway import XML
from tests.live.xmppserver import GATEWAY

ROWS = {
    "of the domain to elsewhere": (MESSAGE, FIXED),
    "of an account to elsewhere": (MESSAGE, {**ROMEO, "Content-Type": XML}),
    "of an account to an account": (MESSAGE.replace(f"friar@{RECEIVER}", f"romeo@{GATEWAY}"), {**ROMEO, "Content-Type": XML}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, Bench(Path(folder), standby=False, workers=1) as bench:
        machines = bench.machines("processor", {}, ("web1", "web2"))
        machines.settle()
        owner = machines.owner()
        other, database = machines.other(owner), machines.databases.primary.process
        assert database is not None
        print("| a message | connections | the owner | the other node | the database | messages/s |\n| --- | --: | --: | --: | --: | --: |")
        for name, (body, headers) in ROWS.items():
            for connections in (1, 16, 64):
                target = Target(other.port, "POST", "/rest", body, headers)
                hammer(target, [owner.pid], 1, connections)
                clock = Clock([other.pid, database.pid])
                found = hammer(target, [owner.pid], seconds, connections)
                if found.bad:
                    raise SystemExit(f"{found.bad} bad answers\n{other.tail()}")
                there, behind = clock.each(round(found.rate * seconds))
                print(f"| {name} | {connections} | {found.cpu:.0f} | {there:.0f} | {behind:.0f} | {found.rate:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
