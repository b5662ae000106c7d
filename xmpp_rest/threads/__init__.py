"""What threads share: one group executor, one timer heap, one keyed pool, bounded waiting."""
