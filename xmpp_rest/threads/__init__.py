"""What threads share: a group executor, timers, a keyed pool, a one-shot value, bounded waits."""
