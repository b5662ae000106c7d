"""What gateways on several machines share, in a PostgreSQL database."""
