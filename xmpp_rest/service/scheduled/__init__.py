"""Messages that are sent at a time of the sender's choice."""
