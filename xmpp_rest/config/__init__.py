"""The settings: their table, the readers of values, loading, checking and reloading."""
