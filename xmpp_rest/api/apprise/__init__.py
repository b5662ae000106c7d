"""What clients of the Apprise API use: `/notify`."""
