"""Rosters, presence, and block lists."""
