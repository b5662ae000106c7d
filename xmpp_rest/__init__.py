"""xmpp-rest: HTTP in front of XMPP, for any XMPP server."""

__version__ = "0.1.0"
