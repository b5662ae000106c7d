"""The API of files: /rest/files, and the public side, /files."""
