"""What the entities of the hosted domain do, in XMPP's words. Every API is a thin layer over these."""
