"""`xmpp-rest completion bash|zsh`: prints the completion of both programs, which `make man` has written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def run(_: Callable[[], object], options: argparse.Namespace) -> int:
    """Print it; the exit code. The configuration is not read."""
    sys.stdout.write((Path(__file__).parent / "completions" / f"xmpp-rest.{options.shell}").read_text(encoding="utf-8"))
    return 0
