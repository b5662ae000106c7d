"""The connection to the XMPP network, and where each stanza goes."""
