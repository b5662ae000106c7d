"""What the requests of each format say."""
