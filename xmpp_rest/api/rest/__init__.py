"""The stanza API at /rest, compatible with Prosody's mod_rest (docs/compatibility/rest-api.md)."""
