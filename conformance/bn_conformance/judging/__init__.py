"""Is it right: goldens against observations, quantity by quantity."""
