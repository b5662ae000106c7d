"""What clients of Prosody's mod_post_msg use (hooks §16)."""
