"""Incoming hooks, `/hooks`."""
