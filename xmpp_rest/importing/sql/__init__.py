"""Databases of other servers, read row by row: SQLite files, PostgreSQL, and dumps of INSERT statements."""
