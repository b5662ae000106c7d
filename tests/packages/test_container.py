"""The image: built from Containerfile without a daemon, small, not root's, and healthy while it answers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packages.conftest import require
from tests.packages.debian import copy_network
from tests.packages.once import ROOT, run
from xmpp_rest import __version__

pytestmark = pytest.mark.live
OURS, WHOLE = 25_000_000, 150_000_000  # bytes: of our layers, and of the image
BASE, IMAGE = "localhost/debian:test", "localhost/xmpp-rest:test"
SERVE = """
set -eu
{serve} 2>/tmp/log &
gateway=$!
for attempt in $(seq 60); do
    if {healthy} 2>/dev/null; then break; fi
    sleep 0.5
done
{healthy} || {{ cat /tmp/log; exit 1; }}
xmpp-rest send admin@localhost 'from a container'
test "$(id -u)" != 0
test "$(stat -c %a /var/lib/xmpp-rest/gateway.sqlite)" = 600
kill $gateway
wait $gateway
if {healthy} 2>/dev/null; then exit 1; fi
echo healthy
"""


class Buildah:
    """buildah with a storage of its own, which holds whole copies of the layers and needs no kernel's help."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._words = ["buildah", "--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def __call__(self, *words: str | Path) -> str:
        return run(*self._words, *words, seconds=600).strip()

    def alone(self, *words: str) -> str:
        """The same with a loopback interface of its own and no other."""
        return run("unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$@"', "sh", *self._words, *words)


@pytest.fixture
def buildah(tmp_path: Path) -> Iterator[Buildah]:
    require("buildah", "unshare", "ip")
    yield Buildah(tmp_path)
    shutil.rmtree(tmp_path)  # 700 MB


def make_base_image(buildah: Buildah, base: Path) -> None:
    network = buildah.folder / "network"
    network.mkdir()
    copy_network(network)
    container = buildah("from", "scratch").splitlines()[-1]
    buildah("add", "--quiet", container, base, "/")
    buildah("add", "--quiet", container, network, "/")
    buildah("commit", "--quiet", "--rm", container, BASE)


@pytest.mark.timeout(600)
def test_the_image(buildah: Buildah, base: Path, checkout: Path) -> None:
    make_base_image(buildah, base)
    buildah("build", "--quiet", "--isolation", "chroot", "--format", "docker", "--build-arg", f"BASE={BASE}", "--tag", IMAGE, checkout)
    about = json.loads(buildah("inspect", "--type", "image", IMAGE))
    config = about["Docker"]["config"]
    check_config(config)
    sizes = [layer["size"] for layer in json.loads(about["Manifest"])["layers"]]
    print(f"base {sizes[0]:,} bytes, ours {sum(sizes[1:]):,}")
    assert sum(sizes[1:]) < OURS
    assert sum(sizes) < WHOLE

    container = buildah("from", IMAGE).splitlines()[-1]
    words = {"serve": config["Entrypoint"] + config["Cmd"], "healthy": config["Healthcheck"]["Test"][1:]}
    script = SERVE.format(**{name: shlex.join(command) for name, command in words.items()})
    said = buildah.alone("run", "--isolation", "chroot", container, "--", "sh", "-c", script)
    assert said.splitlines()[-1].strip() == "healthy"
    top = buildah.alone("run", "--isolation", "chroot", container, "--", "sh", "-c", "ls /opt/xmpp-rest/lib/python3*/site-packages")
    assert not {"app.py", "drivers", "pip"} & set(top.split())


def check_config(config: dict[str, Any]) -> None:
    assert config["User"].split(":")[0] not in ("", "0", "root")
    assert list(config["Volumes"]) == ["/var/lib/xmpp-rest"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert (config["Entrypoint"], config["Cmd"]) == (["xmpp-rest"], ["run"])
    assert "/livez" in config["Healthcheck"]["Test"][-1]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "GPL-3.0-or-later"


def test_what_the_image_is_not_built_from() -> None:
    """Data folders, environments and what git has are in no layer of the build, whether or not the ignore file is read."""
    lines = (ROOT / ".containerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    copied = [line.split()[:-1] for line in re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)]
    assert {"xmpp_rest", "drivers"} <= {name for names in copied for name in names}
    assert not {".", "./", "*", "data", "wsgi.ini"} & {name for names in copied for name in names}
