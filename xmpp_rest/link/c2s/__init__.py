"""Logs in at other servers as their accounts' clients do (RFC 6120), and keeps the sessions."""
