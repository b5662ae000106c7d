"""Incoming hooks: URLs by which any program sends messages to people and rooms."""
