"""Operation: `/health` for machines, `/status` for administrators."""
