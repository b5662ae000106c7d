"""`python -m release.lock [--upgrade]`: writes the lock files, which name every package down to the last, with its hashes.

Versions that are there are kept where they still fit; `--upgrade` takes the newest ones. The tool is uv, pinned in requirements-dev.txt.
It resolves for all systems and all versions of Python at once, and names no address.
"""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "requirements.lock": ("requirements.txt", "requirements-fast.txt"),
    "requirements-postgres.lock": ("requirements-postgres.txt", "--constraints", "requirements.lock"),
}
"""Lock file → what it locks. The second one is installed beside the first."""
OPTIONS = (
    "--universal", "--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate",
    "--no-emit-index-url", "--no-emit-find-links",
)  # fmt: skip


def write(name: str, options: list[str]) -> None:
    """Write one lock file. Raises CalledProcessError."""
    path = ROOT / name
    words = ["pip", "compile", "--quiet", *OPTIONS, *options, *LOCKS[name], "--output-file", name]
    run([sys.executable, "-m", "uv", *words], cwd=ROOT, check=True)
    sources = " and ".join(source for source in LOCKS[name] if source.endswith(".txt"))
    about = f"# Written by `python -m release.lock` from {sources}. Install with: pip install --require-hashes -r {name}\n"
    path.write_text(about + path.read_text("utf-8"), "utf-8")


if __name__ == "__main__":
    for lock in LOCKS:
        write(lock, sys.argv[1:])
