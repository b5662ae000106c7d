"""Callbacks: stanzas are POSTed to a URL, and its answers are sent as replies."""
