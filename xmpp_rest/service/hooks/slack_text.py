"""Slack's markup as text."""

from __future__ import annotations


def slack_text(text: str) -> str:
    """The text as Slack shows it."""
    return text
