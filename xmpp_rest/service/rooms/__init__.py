"""Rooms of XEP-0045 on other servers, and who of the hosted domain is in them."""
