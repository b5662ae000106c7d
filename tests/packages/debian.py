"""A small Debian in a tar file, and commands in one that was unpacked."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.packages.once import run

SUITE = "bookworm"
INCLUDED = ("usr-is-merged", "adduser", "libstdc++6", "passwd", "python3", "python3-venv")
LEFT_OUT = ("locale", "doc", "man", "info")
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
"""The ways out of this machine: names, certificates, and where pip looks."""


def make_base(target: Path) -> None:
    """Python, what makes users, and little else: about 120 MB."""
    options = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    merged = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
    run("mmdebstrap", "--quiet", "--variant=essential", merged, *options, f"--include={','.join(INCLUDED)}", SUITE, target)


def copy_network(root: Path) -> None:
    """Let programs in `root` use the network as this machine does."""
    for path in map(Path, NETWORK):
        if path.exists():
            there = root / path.relative_to("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)


def run_alone(root: Path, *command: str) -> str:
    """What a command prints that runs in `root`, with a loopback interface of its own and no other; its processes end with it."""
    script = 'ip link set lo up; for d in proc dev; do mount --rbind /$d "$0/$d"; done; exec chroot "$0" "$@"'
    return run("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script, root, *command, PATH="/usr/sbin:/usr/bin:/sbin:/bin")
