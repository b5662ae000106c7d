"""How much one caller may send: rate limits, shared by all processes."""
