"""Tokens for programs: /oauth (RFC 6749)."""
