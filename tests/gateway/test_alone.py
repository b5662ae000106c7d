"""A gateway of one machine loads nothing of several machines, and of no database that it does not use."""

# many-machines §16

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
OF_SEVERAL = (
    "xmpp_rest.cluster", "xmpp_rest.gateway.wiring_cluster", "xmpp_rest.gateway.session_handover", "xmpp_rest.service.sessions.handed_over",
    "drivers.sql.cluster", "drivers.sql.postgres", "psycopg",
)  # fmt: skip
SCRIPT = f"""
import sys
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings

app = build(load_settings(None, {{"XMPP_REST_SERVER_DATA_DIR": sys.argv.pop()}}))
gateway = app.extensions["gateway"]
gateway.start()
print(app.test_client().get("/livez").status_code, not gateway.parts.remote.follows())
print(*[name for name in sys.modules if name.startswith({OF_SEVERAL!r})])
gateway.stop()
"""


def test_a_gateway_alone_loads_nothing_of_several_machines(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XMPP_REST_")}
    words = [sys.executable, "-c", SCRIPT, str(tmp_path / "data")]
    ran = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["200 True", ""]
