"""Pages for people with a browser: `/`, `/docs/` and `/console/` (decision 0051)."""
