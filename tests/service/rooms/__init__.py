"""Rooms on other servers."""
