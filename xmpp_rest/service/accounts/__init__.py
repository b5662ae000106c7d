"""Accounts and what is stored with them."""
