"""The HTTP dialects: each turns requests into what a service does, and outcomes into its own statuses and bodies."""
