"""Messages: sending, keeping, delivering later, archives and their queries."""
