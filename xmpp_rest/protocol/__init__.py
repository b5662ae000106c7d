"""XMPP as pure functions and values: addresses, stanzas, conditions, mappings. No Flask, no threads, no files."""
