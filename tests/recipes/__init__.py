"""The recipes below deploy/, each run with Debian's own programs, on the host alone."""
