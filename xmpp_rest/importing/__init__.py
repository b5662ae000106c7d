"""Import of what other servers have stored: readers yield neutral records, a writer stores them as the services do (decision 0046)."""
