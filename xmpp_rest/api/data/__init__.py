"""The data API at /data, compatible with Prosody's mod_data_access (docs/compatibility/data-api.md)."""
