"""Accounts of other servers, beside slixmpp alone, mod_rest, and hosted accounts: `make bench ARGS='--only foreign'`."""
