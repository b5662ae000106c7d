"""The API of rooms on any server: `/rest/rooms` (rooms-anywhere §6)."""
