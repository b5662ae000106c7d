"""Event streams, and the sessions that open streams make."""
