"""What one gateway is made of, and how it starts and stops. Imports nothing, so that `events` can be imported from anywhere."""
