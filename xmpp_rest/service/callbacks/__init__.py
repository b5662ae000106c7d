"""Stanzas that are POSTed to a URL, and what it answers."""
