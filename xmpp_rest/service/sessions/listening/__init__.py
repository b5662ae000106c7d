"""Event streams of accounts of other servers: what reaches their sessions, and what their archives have (accounts-anywhere §7.3)."""
