"""Do the gateway and Debian's own Prosody and ejabberd understand each other? Everything here is marked `live`."""
