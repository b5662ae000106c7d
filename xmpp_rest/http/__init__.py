"""HTTP itself: the state machine that answers a request, and what serves it. Knows nothing of XMPP."""
