"""A gateway with a bot, for the way of stanzas to callbacks."""

from tests.botapp import make_bot, service

__all__ = ["make_bot", "service"]
