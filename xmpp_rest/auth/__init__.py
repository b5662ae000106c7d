"""Authentication of callers, and what they may do."""
