"""`make dist`: builds what is shipped into dist/, and installs and tries it. Refuses a tree that is not a release.

What it makes: the sdist, the wheel, and SHA256SUMS of both.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory

from release.versions import ROOT, differing, stale, undated, unsorted, versions

CHECKS: tuple[Callable[[Path], Iterator[str]], ...] = (differing, undated, unsorted, stale)
METADATA = {
    "Name": "xmpp-rest",
    "License-Expression": "GPL-3.0-or-later",
    "Requires-Python": ">=3.11",
    "Description-Content-Type": "text/markdown",
}
PIP = ("install", "--quiet", "--disable-pip-version-check", "--no-compile")  # what is used is compiled then: a tenth of it
READY = 60.0  # seconds until a gateway that was just installed answers


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """What a command prints on standard output. Raises CalledProcessError; what it says about its failure is on standard error."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("XMPP_REST_")}
    ran = subprocess.run([str(word) for word in words], cwd=cwd, env=environ, stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    return ran.stdout


def build(kind: str, source: Path, target: Path) -> Path:
    """The sdist or the wheel, made by the tools that requirements-dev.txt pins."""
    before = set(target.glob("*"))
    run(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", target, source)
    [made] = set(target.glob("*")) - before
    return made


def check_same(sdist: Path, wheel: Path, scratch: Path) -> None:
    """The wheel that others make from the sdist is this one. Raises ValueError."""
    with tarfile.open(sdist) as archive:
        archive.extractall(scratch / "sdist", filter="data")
    [source] = (scratch / "sdist").iterdir()
    if build("wheel", source, scratch).read_bytes() != wheel.read_bytes():
        raise ValueError(f"{sdist.name} makes another wheel than the checkout; tests/packages/test_sdist.py may tell why")


def check_metadata(wheel: Path, version: str) -> None:
    """What package indexes and pip read. Raises ValueError."""
    with zipfile.ZipFile(wheel) as archive:
        info = f"xmpp_rest-{version}.dist-info"
        message = message_from_bytes(archive.read(f"{info}/METADATA"))
        names = archive.namelist()
        top = archive.read(f"{info}/top_level.txt").decode().split()
    for field, right in {**METADATA, "Version": version}.items():
        if message[field] != right:
            raise ValueError(f"{wheel.name}: the metadata has {field}: {message[field]} instead of {right}")
    if top != ["xmpp_rest"] or f"{info}/licenses/LICENSE" not in names or not message.get_payload():
        raise ValueError(f"{wheel.name}: another top-level name than xmpp_rest, no license, or no description")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_ready(port: int, gateway: subprocess.Popen[bytes]) -> None:
    """Returns when /readyz does so. Raises ValueError after READY seconds, or when the gateway ended."""
    deadline = time.monotonic() + READY
    while gateway.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass  # it does not listen yet
        finally:
            connection.close()
        time.sleep(0.1)
    raise ValueError("the gateway that was installed is not ready")


def try_out(wheel: Path, version: str, scratch: Path) -> None:
    """Install the wheel with what it requires into an environment of its own, and send a message. Raises ValueError, CalledProcessError."""
    venv.create(scratch / "venv", symlinks=True)
    programs, folder = scratch / "venv/bin", scratch / "gateway"
    run(sys.executable, "-m", "pip", "--python", programs / "python", *PIP, f"{wheel}[fast]")
    for program in ("xmpp-rest", "xmpp-restctl"):
        if (said := run(programs / program, "--version").strip()) != f"{program} {version}":
            raise ValueError(f"{program} --version says {said}")
    port = free_port()
    run(programs / "xmpp-rest", "init", folder, "--bind", f"127.0.0.1:{port}", cwd=scratch)
    config = ("--config", folder / "wsgi.ini")
    with (scratch / "log").open("w") as log:
        gateway = subprocess.Popen([programs / "xmpp-rest", *config, "run"], cwd=scratch, stderr=log)
    try:
        wait_ready(port, gateway)
        run(programs / "xmpp-rest", *config, "send", "admin@localhost", f"from {wheel.name}", cwd=scratch)
    except (ValueError, subprocess.CalledProcessError):
        print((scratch / "log").read_text(), file=sys.stderr)
        raise
    finally:
        gateway.terminate()
        code = gateway.wait(30)
    if code:
        raise ValueError(f"the gateway ended with {code}")


def main(root: Path = ROOT) -> int:
    """Builds and checks everything; the exit code."""
    if refused := [sentence for check in CHECKS for sentence in check(root)]:
        print(*(f"dist: {sentence}" for sentence in refused), sep="\n", file=sys.stderr)
        return 1
    version, target = versions(root)["pyproject.toml"], root / "dist"
    target.mkdir(exist_ok=True)
    for old in (*target.glob("xmpp_rest-*"), target / "SHA256SUMS"):
        old.unlink(missing_ok=True)
    sdist, wheel = (build(kind, root, target) for kind in ("sdist", "wheel"))
    try:
        with TemporaryDirectory() as folder:
            check_same(sdist, wheel, Path(folder))
            check_metadata(wheel, version)
            try_out(wheel, version, Path(folder))
    except (ValueError, subprocess.CalledProcessError) as e:
        print(f"dist: {e}", file=sys.stderr)
        return 1
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (sdist, wheel))
    (target / "SHA256SUMS").write_text(sums, "ascii")
    print(sums, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
