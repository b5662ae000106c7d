"""Why sessions end that the gateway itself ends (accounts-anywhere §5.6): the word in the log, and what metrics count."""

from __future__ import annotations

IDLE = "idle"
TOO_MANY = "too-many"  # another account needed the place
RELOAD = "reload"  # its domain is no longer listed, or its section of the configuration has changed
STOPPING = "stopping"
ADMINISTERED = "administrator"
LOGGED_OUT = "logout"
WRONG_NOW = "not-authorized"  # its password was changed
