"""What Gotify's senders use: `/message`, `/version`."""
