"""Python versions compared: `python -m bench --interpreters python3.11,python3.13` prints the rows.

Each interpreter runs the same gateway behind the same Prosody, in turn; the least processor time of the rounds counts. One that lacks
the gateway's packages gets them in a virtual environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from urllib3.util import make_headers

from bench import peers
from bench.load import Measured, Target, hammer
from bench.scenarios import SCENARIOS, Scenario
from tests.live.child import free_port
from tests.live.gateway import PASSWORD, ROOT, TOKEN, Gateway, Sections
from tests.live.xmppserver import GATEWAY, SECRET

MEASURED = ("message, Bearer", "iq ping", "JSON echo, Bearer", "/data GET, hashed")
"""How the names of the scenarios begin."""
PACKAGES = "import cbor2, defusedxml, flask, gunicorn, xmpp"
VERSION = "import platform; print(platform.python_version())"
ONE_WORKER: Sections = {"server": {"workers": 1}}


class Interpreted(Gateway):
    """A gateway that a given Python runs."""

    def __init__(self, folder: Path, link_port: int, python: str) -> None:
        super().__init__(folder, link_port, ONE_WORKER)
        self._python = python

    def command(self) -> list[str]:
        return [self._python, *super().command()[1:]]


def ready(python: str, folder: Path) -> str:
    """The interpreter, or one like it in a virtual environment in `folder` that has the packages."""
    python = os.path.abspath(shutil.which(python) or python)
    if subprocess.run([python, "-c", PACKAGES], capture_output=True, check=False).returncode == 0:
        return python
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = str(folder / "bin/python")
    requirements = ["-r", str(ROOT / "requirements.txt"), "-r", str(ROOT / "requirements-fast.txt")]
    subprocess.run([own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], check=True)
    return own


def version(python: str) -> str:
    return subprocess.run([python, "-c", VERSION], capture_output=True, text=True, check=True).stdout.strip()


def measure(gateway: Gateway, server: int, scenarios: Sequence[Scenario], seconds: float) -> Iterator[Measured]:
    credentials: Mapping[str, Mapping[str, str]] = {
        "romeo": make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}"),
        "fixed": {"Authorization": f"Bearer {TOKEN}"},
    }
    for scenario in scenarios:
        ask = scenario.ours
        kind = {"Content-Type": ask.kind} if ask.kind else {}
        target = Target(gateway.port, ask.method, ask.path, ask.body, {**credentials[ask.who], **kind})
        yield hammer(target, (gateway.pid, server), seconds)


def rows(folder: Path, pythons: Sequence[str], seconds: float, rounds: int) -> str:
    """The table in Markdown: µs of the gateway's processor time for each request, and how many times those of the first interpreter."""
    scenarios = [scenario for scenario in SCENARIOS if scenario.name.startswith(MEASURED)]
    interpreters = [ready(python, folder / f"venv{n}") for n, python in enumerate(pythons)]
    found: dict[tuple[str, str], list[float]] = {}
    prosody = peers.BenchProsody(folder / "prosody", "", free_port())
    prosody.start()
    sink = peers.Small(folder / "sink", str(Path(__file__).with_name("bare.py")), "sink", str(prosody.component_port), peers.SINK, SECRET)
    try:
        sink.start()
        for turn in range(rounds):
            for n, python in enumerate(interpreters):
                gateway = Interpreted(folder / f"gateway{turn}-{n}", prosody.component_port, python)
                gateway.start()
                try:
                    gateway.register("romeo")
                    gateway.wait_state("online")
                    assert gateway.post_json({"theme": "dark"}, "romeo", "/data/settings").status == 201
                    for scenario, measured in zip(scenarios, measure(gateway, prosody.pid, scenarios, seconds), strict=True):
                        print(version(python), scenario.name, measured, file=sys.stderr)
                        assert measured.bad == 0, f"{scenario.name}: {measured.bad} bad answers"
                        found.setdefault((scenario.name, python), []).append(measured.cpu)
                finally:
                    gateway.stop()
    finally:
        sink.stop()
        prosody.stop()
    return _table([scenario.name for scenario in scenarios], interpreters, {key: min(values) for key, values in found.items()})


def _table(names: Sequence[str], interpreters: Sequence[str], least: Mapping[tuple[str, str], float]) -> str:
    head = ["CPU µs for each request", *(f"Python {version(python)}" for python in interpreters)]
    lines = [head, ["---", *("--:" for _ in interpreters)]]
    for name in names:
        first, *others = (least[name, python] for python in interpreters)
        lines.append([name, f"{first:,.0f}", *(f"{other:,.0f} ({other / first:.2f})" for other in others)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
