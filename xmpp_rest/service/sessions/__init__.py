"""Accounts of other servers: their sessions there, and what is done over these (accounts-anywhere)."""
