"""The words of `completion`."""

from __future__ import annotations

import argparse


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `completion`."""
    parser.epilog = 'For this shell alone: eval "$(xmpp-rest completion bash)". docs/command-line.md says where to put it for good.'
    parser.add_argument("shell", choices=("bash", "zsh"), help="the shell that reads it")
