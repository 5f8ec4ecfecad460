"""Error bounds, one for every number, derived in BOUNDS.md."""
