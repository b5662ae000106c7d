"""Rosters, presence, and who is blocked."""
