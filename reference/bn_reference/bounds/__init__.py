"""Error bounds: what error each number may have. BOUNDS.md derives them."""
