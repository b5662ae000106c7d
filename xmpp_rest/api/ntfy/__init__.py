"""What ntfy's clients and senders use (hooks §13)."""
