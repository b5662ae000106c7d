"""Several machines: one gateway on many nodes that meet in the database (many-machines). Loaded for `[cluster] kind = postgresql`."""
