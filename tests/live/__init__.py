"""The gateway with Debian's own Prosody and ejabberd. Everything here is marked `live`."""
