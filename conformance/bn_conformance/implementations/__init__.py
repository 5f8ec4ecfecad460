"""Who is judged: the registered implementations and their known faults."""
