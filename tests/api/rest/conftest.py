"""Fixtures of callbacks for the tests here."""

from __future__ import annotations

from tests.botapp import make_bot, service

__all__ = ["make_bot", "service"]
