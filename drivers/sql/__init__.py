"""The SQL storages: Prosody's `mod_storage_sql` tables, whatever the database."""
