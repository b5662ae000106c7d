"""Files: the store, who may upload how much, and the upload service (XEP-0363)."""
